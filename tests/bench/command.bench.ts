import { randomUUID } from 'node:crypto'
import { type AppendExpectedRevision, EventStoreDBClient, NO_STREAM, jsonEvent } from '@eventstore/db-client'
import { handle } from '../../command-handlers/handle.ts'
import { datastore } from '../../domain/datastore/datastore.ts'
import { type Decider, isRejection } from '../../domain/kernel/decider.ts'
import type { Cause } from '../../domain/kernel/event-store.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { exampleSpec, noon } from '../support/examples.ts'
import { latency, median, perSecond, quantile, report, spread, startEventStore, timed } from './measure.ts'

// The same events, once appended by the official client alone, once by a command that decides and appends them.
const ROUNDS = 5
const CALLS = 400
const WARM_UP_CALLS = 200
const WRITERS = 50
const RATIO_MAX = 2

type Measured = { readonly type: 'Measured'; readonly data: { readonly n: number; readonly text: string } }
type Measure = { readonly type: 'Measure'; readonly data: { readonly id: string; readonly count: number } }

/** As many events as are asked for. */
const several: Decider<Measure, Measured, number, never> = {
  initial: 0,
  decide: ({ data: { count } }) =>
    Array.from({ length: count }, (_, n) => ({ type: 'Measured', data: { n, text: 'x'.repeat(200) } })),
  evolve: (state) => state + 1,
}

const cause = (): Cause => {
  const commandId = randomUUID()
  return { commandId, correlationId: commandId, causationId: commandId, actor: { kind: 'system', id: 'bench' } }
}

const server = await startEventStore()
const client = EventStoreDBClient.connectionString(server.url)
const store = esdbEventStore({ connectionString: server.url })
type Plain = { readonly type: string; readonly data: object }
type Expected = AppendExpectedRevision
const append = async (stream: string, events: readonly Plain[], expectedRevision: Expected = NO_STREAM) => {
  const metadata = cause()
  const batch = events.map(({ type, data }) => jsonEvent({ id: randomUUID(), type, data: { ...data }, metadata }))
  await client.appendToStream(stream, batch, { expectedRevision })
}

const sendSeveral = handle({ store }, several, ({ data }) => `several-${data.id}`)
const sendDatastore = handle({ store }, datastore, ({ data }) => `datastore-${data.datastoreId}`)
const creation = (datastoreId: string) => {
  const data = { datastoreId, jobId: randomUUID(), spec: exampleSpec(3), fingerprint: '', now: noon }
  return { type: 'CreateDatastore', data } as const
}
const measure = (id: string, count: number) => ({ type: 'Measure', data: { id, count } }) as const

const rawSeveral = async (id: string, count: number, expectedRevision?: Expected) => {
  const events = several.decide(measure(id, count), several.initial)
  if (isRejection(events)) throw new Error('BUG: refused')
  await append(`several-${id}`, events, expectedRevision)
}
const rawDatastore = async (id: string) => {
  const events = datastore.decide(creation(id), datastore.initial)
  if (isRejection(events)) throw new Error('BUG: refused')
  await append(`datastore-${id}`, events)
}

type Case = {
  readonly what: string
  readonly raw: (id: string) => Promise<unknown>
  readonly command: (id: string) => Promise<unknown>
  /** Outside of the time that is taken. */
  readonly before?: (id: string) => Promise<unknown>
}
const CASES: readonly Case[] = [
  { what: '1 event', raw: (id) => rawSeveral(id, 1), command: (id) => sendSeveral(measure(id, 1), cause()) },
  { what: '10 events', raw: (id) => rawSeveral(id, 10), command: (id) => sendSeveral(measure(id, 10), cause()) },
  { what: 'a new datastore', raw: rawDatastore, command: (id) => sendDatastore(creation(id), cause()) },
  {
    what: 'a stream written from here',
    before: (id) => sendSeveral(measure(id, 1), cause()),
    raw: (id) => rawSeveral(id, 1, 0n),
    command: (id) => sendSeveral(measure(id, 1), cause()),
  },
  {
    // The worst case: what is presumed of the stream is wrong, so it is appended in vain, read, and appended.
    what: 'a stream written elsewhere',
    before: (id) => rawSeveral(id, 1),
    raw: (id) => rawSeveral(id, 1, 0n),
    command: (id) => sendSeveral(measure(id, 1), cause()),
  },
]

for (const { what, before, raw, command } of CASES) {
  const prepared = async (): Promise<string> => {
    const id = randomUUID()
    await before?.(id)
    return id
  }
  const once = async (work: (id: string) => Promise<unknown>): Promise<number> => {
    const id = await prepared()
    return timed(() => work(id))
  }
  for (let n = 0; n < WARM_UP_CALLS; n++) {
    await once(raw)
    await once(command)
  }
  const all: { readonly raw: number[]; readonly command: number[] } = { raw: [], command: [] }
  const ratios: number[] = []
  const rates: { readonly raw: number[]; readonly command: number[] } = { raw: [], command: [] }
  for (let round = 0; round < ROUNDS; round++) {
    const rawMs: number[] = []
    const commandMs: number[] = []
    // Turn by turn, so that the noise of the machine meets both alike.
    for (let n = 0; n < CALLS; n++) {
      rawMs.push(await once(raw))
      commandMs.push(await once(command))
    }
    all.raw.push(...rawMs)
    all.command.push(...commandMs)
    ratios.push(quantile(commandMs, 0.99) / quantile(rawMs, 0.99))
    for (const [rate, work] of [[rates.raw, raw], [rates.command, command]] as const) {
      const ids: string[] = []
      for (let n = 0; n < CALLS; n++) ids.push(await prepared())
      rate.push(await perSecond(CALLS, WRITERS, (n) => work(ids[n] ?? '')))
    }
  }
  report(`${what}: raw append`, latency(all.raw))
  report(`${what}: command`, latency(all.command))
  const ok = median(ratios) <= RATIO_MAX
  report(`${what}: command p99 / raw p99, by round`, spread(ratios, '×', 2), { ok, text: `≤ ${RATIO_MAX}` })
  report(`${what}: raw append, ${WRITERS} writers`, spread(rates.raw, '/s'))
  report(`${what}: command, ${WRITERS} writers`, spread(rates.command, '/s'))
}
await store.close()
await client.dispose()
await server.stop()
