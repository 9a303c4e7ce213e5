import { randomUUID } from 'node:crypto'
import { EventStoreDBClient, jsonEvent, NO_STREAM } from '@eventstore/db-client'
import { atInterrupt, median, perSecond, quantile, report, spread, startEventStore, timed } from './measure.ts'

// What TLS and users cost: the same client, once on an event store without them, once on one with, by turns.
const ROUNDS = 7
const CALLS = 300
const WRITERS = 50
const APPENDS = 1_500
const READ = 20_000

const stores = { open: await startEventStore({ open: true }), secured: await startEventStore() }
type Kind = keyof typeof stores
const clients = {
  open: EventStoreDBClient.connectionString(stores.open.url),
  secured: EventStoreDBClient.connectionString(stores.secured.url),
}
const end = async (): Promise<void> => {
  for (const client of Object.values(clients)) await client.dispose()
  for (const { stop } of Object.values(stores)) await stop()
}
atInterrupt(end)

const event = () => jsonEvent({ type: 'Measured', data: { text: 'x'.repeat(200) } })
const append = (client: EventStoreDBClient, count: number) =>
  client.appendToStream(`s-${randomUUID()}`, Array.from({ length: count }, event), { expectedRevision: NO_STREAM })
const drain = async (reading: AsyncIterable<unknown>): Promise<number> => {
  const seen: unknown[] = []
  for await (const it of reading) seen.push(it)
  return seen.length
}

type Case = {
  readonly unit: string
  readonly digits: number
  readonly run: (client: EventStoreDBClient) => Promise<number>
}
const CASES: Readonly<Record<string, Case>> = {
  'append of 1 event, p50': {
    unit: 'ms',
    digits: 2,
    run: async (client) => {
      const ms: number[] = []
      for (let n = 0; n < CALLS; n++) ms.push(await timed(() => append(client, 1)))
      return quantile(ms, 0.5)
    },
  },
  [`append of 1 event, ${WRITERS} writers`]: {
    unit: '/s',
    digits: 0,
    run: (client) => perSecond(APPENDS, WRITERS, () => append(client, 1)),
  },
  'read of a stream of 1 event, p50': {
    unit: 'ms',
    digits: 2,
    run: async (client) => {
      const ms: number[] = []
      for (let n = 0; n < CALLS; n++) ms.push(await timed(() => drain(client.readStream('one'))))
      return quantile(ms, 0.5)
    },
  },
  'read of the whole log': {
    unit: 'events/s',
    digits: 0,
    run: async (client) => {
      let count = 0
      const ms = await timed(async () => (count = await drain(client.readAll({ maxCount: READ }))))
      return (count / ms) * 1_000
    },
  },
}

for (const client of Object.values(clients)) {
  await client.appendToStream('one', event())
  await perSecond(READ / 20, WRITERS, () => append(client, 20))
}
for (const [what, { unit, digits, run }] of Object.entries(CASES)) {
  const found: Readonly<Record<Kind, number[]>> = { open: [], secured: [] }
  for (let round = 0; round < ROUNDS; round++) {
    found.open.push(await run(clients.open))
    found.secured.push(await run(clients.secured))
  }
  report(`${what}, without`, spread(found.open, unit, digits))
  report(`${what}, with TLS and a user`, spread(found.secured, unit, digits))
  report(`${what}, with / without`, `${(median(found.secured) / median(found.open)).toFixed(2)} ×`)
}
await end()
