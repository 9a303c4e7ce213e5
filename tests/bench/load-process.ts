import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { z } from 'zod'
import { handle } from '../../command-handlers/handle.ts'
import { datastore } from '../../domain/datastore/datastore.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { connect } from '../../infra/read-store/connect.ts'
import { exampleSpec, noon } from '../support/examples.ts'
import { timed } from './measure.ts'

/**
 * Those who write and read while something is measured, in a process of their own. Told where by its parent's first
 * message, and by the second one to stop; then it says what they saw.
 */
const Order = z.object({ eventStoreUrl: z.string(), databaseUrl: z.string(), clients: z.int() })

const LOOKED_FOR = 20

const [message]: unknown[] = await once(process, 'message')
const { eventStoreUrl, databaseUrl, clients } = Order.parse(message)
const { pool, close } = connect(databaseUrl)
const store = esdbEventStore({ connectionString: eventStoreUrl })
const stopping = new AbortController()
// A parent that is gone takes no more care of us.
process.once('disconnect', () => process.exit())

const spec = exampleSpec(3)
const send = handle({ store }, datastore, ({ data }) => `datastore-${data.datastoreId}`)
let written = 0
const write = async (): Promise<string> => {
  const [datastoreId, jobId, commandId] = [randomUUID(), randomUUID(), randomUUID()]
  const cause = { commandId, correlationId: commandId, causationId: commandId } as const
  const data = { datastoreId, jobId, spec, fingerprint: 'f', now: noon }
  await send({ type: 'CreateDatastore', data }, { ...cause, actor: { kind: 'system', id: 'bench' } })
  written += 1
  return datastoreId
}

const readMs: number[] = []
const failures: string[] = []
/** Each writes, and reads what it has seen before: nothing of it is ever deleted. */
const client = async (): Promise<void> => {
  const sql = 'select datastore_id from read.datastores where datastore_id = any($1)'
  const waiting: string[] = []
  const seen: string[] = []
  while (!stopping.signal.aborted) {
    waiting.push(await write())
    const look = async (): Promise<void> => {
      const asked = [...waiting.slice(0, LOOKED_FOR), ...seen.slice(-LOOKED_FOR)]
      const { rows } = await pool.query<{ datastore_id: string }>(sql, [asked])
      const there = new Set(rows.map((row) => row.datastore_id))
      const lost = seen.slice(-LOOKED_FOR).filter((id) => !there.has(id))
      if (lost.length > 0) failures.push(`${lost.length} rows that had been there were gone`)
      while (waiting[0] !== undefined && there.has(waiting[0])) seen.push(...waiting.splice(0, 1))
    }
    readMs.push(await timed(() => look().catch((error: unknown) => failures.push(String(error)))))
  }
}

const load = Array.from({ length: clients }, client)
await once(process, 'message')
stopping.abort()
await Promise.all(load)
process.send?.({ written, readMs, failures })
await store.close()
await close()
