import { type EventStoreDBClient, StreamNotFoundError } from '@eventstore/db-client'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { newStream } from '../support/events.ts'
import { collect, eachServer, errorOf, numbered } from '../support/raw-client.ts'

type Context = { client: EventStoreDBClient; stop: () => Promise<void> }

type Limits = { readonly maxCount?: number; readonly truncateBefore?: number }

/** What a stream is, in the fewest words. */
type Model = { readonly written: number; readonly limits: Limits; readonly described: boolean; readonly hidden: boolean }

type Step =
  | { readonly does: 'append'; readonly count: number }
  | { readonly does: 'limit'; readonly limits: Limits }
  | { readonly does: 'delete' }

/** Undefined when the step is refused. */
const after = (model: Model, step: Step): Model | undefined => {
  const { written, limits, described, hidden } = model
  switch (step.does) {
    case 'append':
      return { ...model, written: written + step.count, hidden: false, limits: hidden ? { truncateBefore: written } : limits }
    case 'limit':
      return {
        ...model, described: true, hidden: false, limits: hidden ? { ...step.limits, truncateBefore: written } : step.limits,
      }
    case 'delete':
      return written === 0 && !described ? undefined : { ...model, described: true, hidden: true, limits: {} }
  }
}

const revisionsIn = ({ written, limits, hidden }: Model): readonly number[] | 'absent' => {
  if (written === 0 || hidden) return 'absent'
  const first = Math.max(limits.truncateBefore ?? 0, limits.maxCount === undefined ? 0 : written - limits.maxCount)
  return Array.from({ length: written }, (_, i) => i).filter((it) => it >= first)
}

const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ does: fc.constant('append' as const), count: fc.integer({ min: 1, max: 130 }) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        does: fc.constant('limit' as const),
        limits: fc.record(
          { maxCount: fc.integer({ min: 1, max: 260 }), truncateBefore: fc.integer({ min: 0, max: 400 }) },
          { requiredKeys: [] },
        ),
      }),
    },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('delete' as const) }) },
  ),
  { minLength: 1, maxLength: 8 },
)

const window = fc.record({ from: fc.integer({ min: 0, max: 500 }), count: fc.integer({ min: 1, max: 300 }) })

const carryOut = (client: EventStoreDBClient, stream: string, step: Step): Promise<unknown> => {
  switch (step.does) {
    case 'append':
      return client.appendToStream(stream, numbered(step.count))
    case 'limit':
      return client.setStreamMetadata(stream, { ...step.limits })
    case 'delete':
      return client.deleteStream(stream)
  }
}

const read = async (client: EventStoreDBClient, stream: string, options: Parameters<EventStoreDBClient['readStream']>[1]) => {
  try {
    return (await collect(client.readStream(stream, options))).map(({ event }) => Number(event?.revision))
  } catch (error) {
    if (error instanceof StreamNotFoundError) return 'absent'
    throw error
  }
}

eachServer((name, start) => {
  const test = suite<Context>(`any history of a stream: ${name}`)

  test.before(async (context) => {
    Object.assign(context, await start())
  })
  test.after(({ stop }) => stop())

  test('reads as its limits and deletions say, in both directions and from anywhere', async ({ client }) => {
    await fc.assert(fc.asyncProperty(steps, window, async (history, { from, count }) => {
      const stream = newStream('history')
      let model: Model = { written: 0, limits: {}, described: false, hidden: false }
      for (const step of history) {
        const next = after(model, step)
        if (next === undefined) await errorOf(() => carryOut(client, stream, step))
        else await carryOut(client, stream, step)
        model = next ?? model
        const all = revisionsIn(model)
        const upwards = all === 'absent' ? all : all.filter((it) => it >= from).slice(0, count)
        const downwards = all === 'absent' ? all : all.filter((it) => it <= from).toReversed().slice(0, count)
        const fromRevision = BigInt(from)
        assert.equal(await read(client, stream, {}), all)
        assert.equal(await read(client, stream, { fromRevision, maxCount: count }), upwards)
        assert.equal(await read(client, stream, { direction: 'backwards', fromRevision, maxCount: count }), downwards)
      }
    }), { numRuns: 30 })
  })

  test.run()
})
