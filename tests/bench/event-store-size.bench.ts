import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import pg from 'pg'
import { killProcess, startEventStore } from '../support/event-store-child.ts'
import { freePort } from '../support/free-port.ts'
import { startPostgres } from '../support/postgres.ts'
import { until } from '../support/until.ts'
import { median, report, spread, timed } from './measure.ts'

// A log of a thousand and one of a million events: what a start takes, and what the event store's process needs in memory
// while the large one is read, followed and written.
const SMALL = 1_000
const LARGE = 1_000_000
const STREAMS = 20_000
const STARTS = 5
const APPENDS = 2_000
const START_RATIO_MAX = 1.5
const MEMORY_MIB_MAX = 400

/** Events of about 300 bytes with places such as the event store itself would have given them. */
const FILL = `
insert into event_store.events
select 256 + n * 400, 'filled-' || n % ${STREAMS}, n / ${STREAMS}, gen_random_uuid(), 'Filled', 'application/json',
  17000000000000000 + n, convert_to('{"n":' || n || ',"text":"' || repeat('x', 200) || '"}', 'UTF8'), ''::bytea
from generate_series(0, $1::bigint - 1) as n`

const filled = async (count: number) => {
  const postgres = await startPostgres()
  const order = { port: await freePort(), databaseUrl: postgres.url }
  // Its first start makes the table.
  await killProcess(await startEventStore(order))
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  await client.query(FILL, [count])
  for (const statement of ['vacuum analyze event_store.events', 'checkpoint']) await client.query(statement)
  await client.end()
  return { order, stop: postgres.stop }
}

/** The most that a process has had in memory so far, in MiB. */
const peakOf = ({ pid }: ChildProcess): number => {
  const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(match?.[1] ?? Number.NaN) / 1_024
}

const [small, large] = [await filled(SMALL), await filled(LARGE)]
const starts: { readonly small: number[]; readonly large: number[] } = { small: [], large: [] }
for (let round = 0; round < STARTS; round++) {
  for (const [times, { order }] of [[starts.small, small], [starts.large, large]] as const) {
    let server: ChildProcess | undefined
    times.push(await timed(async () => (server = await startEventStore(order))))
    if (server !== undefined) await killProcess(server)
  }
}
const ratio = median(starts.large) / median(starts.small)
report(`start with ${SMALL} events`, spread(starts.small, 'ms'))
report(`start with ${LARGE} events`, spread(starts.large, 'ms'))
const alike = { ok: ratio <= START_RATIO_MAX, text: `≤ ${START_RATIO_MAX}` }
report(`start with ${LARGE} / with ${SMALL} events`, `${ratio.toFixed(2)} ×`, alike)

const server = await startEventStore(large.order)
const fresh = peakOf(server)
const client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${large.order.port}?tls=false`)
let read = 0
const readMs = await timed(async () => {
  for await (const _ of client.readAll()) read += 1
})
report(`reading all ${read} events`, `${((read / readMs) * 1_000).toFixed(0)} events/s, at most ${peakOf(server).toFixed(0)} MiB`)

let followed = 0
const subscription = client.subscribeToAll()
subscription.on('data', () => (followed += 1))
let appended = 0
const append = async (writer: number): Promise<void> => {
  for (let n = 0; n < APPENDS / 50; n++) {
    await client.appendToStream(`filled-${writer * 97 + n}`, jsonEvent({ type: 'Appended', data: { text: 'y'.repeat(2_000) } }))
    appended += 1
  }
}
await Promise.all(Array.from({ length: 50 }, (_, writer) => append(writer)))
await until(() => followed >= read + appended, { withinMs: 300_000, what: 'the subscription having everything' })
await subscription.unsubscribe()
const peak = peakOf(server)
const bounded = { ok: peak <= MEMORY_MIB_MAX, text: `≤ ${MEMORY_MIB_MAX} MiB` }
report(`memory after start, and at most`, `${fresh.toFixed(0)} MiB, ${peak.toFixed(0)} MiB`, bounded)
await client.dispose()
await killProcess(server)
await Promise.all([small.stop(), large.stop()])
