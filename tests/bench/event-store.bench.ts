import { randomUUID } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EventStoreDBClient, jsonEvent, NO_STREAM } from '@eventstore/db-client'
import { until } from '../support/until.ts'
import { latency, median, perSecond, report, spread, startEventStore, timed } from './measure.ts'

// The official client against the embedded event store, each in a process of its own; beside it what the disk makes of
// one small write after the other.
const ROUNDS = 5
const CALLS = 300
const CONCURRENT_CALLS = 3_000
const WRITERS = 50
const LAGS = 1_000
const BLOCK_BYTES = 4_096

/** One append waits for one flush of the disk, and for three processes to pass it on and back. */
const SEQUENTIAL_RATIO_MAX = 4
/** Group commit: many appends share a flush, so many writers make more of them than one does. */
const CONCURRENT_RATIO_MIN = 3
const CONCURRENT_MIN = 4_000

const events = (count: number) =>
  Array.from({ length: count }, (_, n) => jsonEvent({ type: 'Measured', data: { n, text: 'x'.repeat(200) } }))

const server = await startEventStore()
const client = EventStoreDBClient.connectionString(server.url)
/** Every append begins a stream, which is the dearest: it has to be looked up whether there is one. */
const append = (count: number) =>
  client.appendToStream(`measured-${randomUUID()}`, events(count), { expectedRevision: NO_STREAM })
/** Appends to one stream, each at the revision that the one before has made. */
const goOn = (): (() => Promise<void>) => {
  const stream = `measured-${randomUUID()}`
  let expectedRevision: bigint | typeof NO_STREAM = NO_STREAM
  return async () => {
    expectedRevision = (await client.appendToStream(stream, events(1), { expectedRevision })).nextExpectedRevision
  }
}

const folder = await mkdtemp(join(tmpdir(), 'ccx-bench-'))
const file = await open(join(folder, 'flushed'), 'w')
const block = Buffer.alloc(BLOCK_BYTES, 1)
const flush = async (): Promise<void> => {
  await file.write(block)
  await file.datasync()
}

const sequence = async (calls: number, work: () => Promise<unknown>): Promise<number[]> => {
  const ms: number[] = []
  for (let n = 0; n < calls; n++) ms.push(await timed(work))
  return ms
}

const rateOf = (ms: readonly number[]): number => (ms.length / ms.reduce((sum, it) => sum + it, 0)) * 1_000

await perSecond(CONCURRENT_CALLS, WRITERS, () => append(1))
const all = { flush: [] as number[], goingOn: [] as number[], one: [] as number[], ten: [] as number[] }
const ratios = { sequential: [] as number[], concurrent: [] as number[] }
const rates = { one: [] as number[], ten: [] as number[] }
for (let round = 0; round < ROUNDS; round++) {
  // By turns, so that the noise of the machine meets all alike.
  const flushed = await sequence(CALLS, flush)
  const goingOn = await sequence(CALLS, goOn())
  all.flush.push(...flushed)
  all.goingOn.push(...goingOn)
  all.one.push(...(await sequence(CALLS, () => append(1))))
  all.ten.push(...(await sequence(CALLS, () => append(10))))
  rates.one.push(await perSecond(CONCURRENT_CALLS, WRITERS, () => append(1)))
  rates.ten.push((await perSecond(CONCURRENT_CALLS / 10, WRITERS, () => append(10))) * 10)
  ratios.sequential.push(median(goingOn) / median(flushed))
  ratios.concurrent.push((rates.one.at(-1) ?? 0) / rateOf(goingOn))
}
await file.close()
await rm(folder, { recursive: true })

const sequential = { ok: median(ratios.sequential) <= SEQUENTIAL_RATIO_MAX, text: `≤ ${SEQUENTIAL_RATIO_MAX}` }
const concurrent = {
  ok: median(rates.one) >= CONCURRENT_MIN || median(ratios.concurrent) >= CONCURRENT_RATIO_MIN,
  text: `≥ ${CONCURRENT_RATIO_MIN}, or ${CONCURRENT_MIN} appends/s`,
}
report(`fdatasync after ${BLOCK_BYTES} bytes`, latency(all.flush))
report('1 writer, 1 event per append, one stream', latency(all.goingOn))
report('1 writer, 1 event per append, a new stream each', latency(all.one))
report('1 writer, 10 events per append, a new stream each', latency(all.ten))
report('1 writer: append p50 / fdatasync p50, by round', spread(ratios.sequential, '×', 2), sequential)
report(`${WRITERS} writers, 1 event per append`, spread(rates.one, 'appends/s'))
report(`${WRITERS} writers, 10 events per append`, spread(rates.ten, 'events/s'))
report(`${WRITERS} writers: appends/s / those of 1 writer, by round`, spread(ratios.concurrent, '×', 2), concurrent)

const counted = async (reading: AsyncIterable<unknown>): Promise<number> => {
  let count = 0
  for await (const _ of reading) count += 1
  return count
}
const readRate = async (read: () => AsyncIterable<unknown>): Promise<number> => {
  let count = 0
  const ms = await timed(async () => (count = await counted(read())))
  return (count / ms) * 1_000
}
const long = `measured-${randomUUID()}`
for (let n = 0; n < 20; n++) await client.appendToStream(long, events(1_000))
const reads: { readonly log: number[]; readonly stream: number[]; readonly back: number[] } = { log: [], stream: [], back: [] }
for (let round = 0; round < ROUNDS; round++) {
  reads.log.push(await readRate(() => client.readAll({ maxCount: 50_000 })))
  reads.stream.push(await readRate(() => client.readStream(long)))
  reads.back.push(await readRate(() => client.readStream(long, { direction: 'backwards', fromRevision: 'end' })))
}
report('reading the log', spread(reads.log, 'events/s'))
report('reading a stream of 20,000 events', spread(reads.stream, 'events/s'))
report('reading it backwards', spread(reads.back, 'events/s'))

/** From the call of an append to the event in the hands of a live subscriber. */
const lags = async (): Promise<number[]> => {
  const arrived = new Map<string, number>()
  const subscription = client.subscribeToAll({ fromPosition: 'end' })
  subscription.on('data', ({ event }) => arrived.set(event?.id ?? '', performance.now()))
  await new Promise((resolve) => subscription.once('caughtUp', resolve))
  const ms: number[] = []
  for (let n = 0; n < LAGS; n++) {
    const [event] = events(1)
    if (event === undefined) throw new Error('BUG: there is one event')
    const began = performance.now()
    await client.appendToStream(long, event)
    const at = await until(() => arrived.get(event.id), { withinMs: 10_000, everyMs: 2 })
    ms.push(at - began)
  }
  await subscription.unsubscribe()
  return ms
}
report('append until a live subscriber has it', latency(await lags()))
await client.dispose()
await server.stop()
