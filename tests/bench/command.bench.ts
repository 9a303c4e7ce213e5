import { randomUUID } from 'node:crypto'
import { EventStoreDBClient, NO_STREAM, jsonEvent } from '@eventstore/db-client'
import { handle } from '../../command-handlers/handle.ts'
import { datastore } from '../../domain/datastore/datastore.ts'
import type { DatastoreCommand } from '../../domain/datastore/messages.ts'
import { isRejection } from '../../domain/kernel/decider.ts'
import type { Cause } from '../../domain/kernel/event-store.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { exampleSpec, noon } from '../support/examples.ts'
import { latency, perSecond, quantile, report, startEventStore, timed } from './measure.ts'

// The same three events, once appended by the official client alone, once by a command that reads, decides and appends.
const ROUNDS = 1_000
const WRITERS = 50

const command = (): DatastoreCommand => {
  const spec = exampleSpec(3)
  return { type: 'CreateDatastore', data: { datastoreId: randomUUID(), jobId: randomUUID(), spec, fingerprint: '', now: noon } }
}
const cause = (): Cause => {
  const commandId = randomUUID()
  return { commandId, correlationId: commandId, causationId: commandId, actor: { kind: 'system', id: 'bench' } }
}

const server = await startEventStore()
const client = EventStoreDBClient.connectionString(server.url)
const store = esdbEventStore({ connectionString: server.url })
const send = handle({ store }, datastore, ({ data }) => `datastore-${data.datastoreId}`)

const raw = async () => {
  const asked = command()
  const events = datastore.decide(asked, datastore.initial)
  if (isRejection(events)) throw new Error('BUG: refused')
  const metadata = cause()
  const batch = events.map(({ type, data }) => jsonEvent({ id: randomUUID(), type, data, metadata }))
  await client.appendToStream(`datastore-${asked.data.datastoreId}`, batch, { expectedRevision: NO_STREAM })
}

const commands = () => send(command(), cause())

for (let n = 0; n < 200; n++) {
  await raw()
  await commands()
}
const rawMs: number[] = []
const commandMs: number[] = []
// Turn by turn, so that the noise of the machine meets both alike.
for (let n = 0; n < ROUNDS; n++) {
  rawMs.push(await timed(raw))
  commandMs.push(await timed(commands))
}
report('raw append, one after the other', latency(rawMs))
report('command, one after the other', latency(commandMs))
const ratio = quantile(commandMs, 0.99) / quantile(rawMs, 0.99)
report('command p99 / raw append p99', ratio.toFixed(2), { ok: ratio <= 2, text: '≤ 2' })
const rawRate = await perSecond(ROUNDS * 4, WRITERS, raw)
const commandRate = await perSecond(ROUNDS * 4, WRITERS, commands)
report(`raw append, ${WRITERS} writers`, `${rawRate.toFixed(0)}/s`)
report(`command, ${WRITERS} writers`, `${commandRate.toFixed(0)}/s, ${(commandRate / rawRate).toFixed(2)} of raw`)
await store.close()
await client.dispose()
await server.stop()
