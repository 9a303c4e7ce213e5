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
const Order = z.object({ eventStoreUrl: z.string(), databaseUrl: z.string(), writers: z.int(), readers: z.int() })

const [message]: unknown[] = await once(process, 'message')
const { eventStoreUrl, databaseUrl, writers, readers } = Order.parse(message)
const { pool, close } = connect(databaseUrl)
const store = esdbEventStore({ connectionString: eventStoreUrl })
const stopping = new AbortController()
// A parent that is gone takes no more care of us.
process.once('disconnect', () => process.exit())

const spec = exampleSpec(3)
const send = handle({ store }, datastore, ({ data }) => `datastore-${data.datastoreId}`)
let written = 0
const write = async (): Promise<void> => {
  for (; !stopping.signal.aborted; written++) {
    const [datastoreId, jobId, commandId] = [randomUUID(), randomUUID(), randomUUID()]
    const cause = { commandId, correlationId: commandId, causationId: commandId } as const
    const data = { datastoreId, jobId, spec, fingerprint: 'f', now: noon }
    await send({ type: 'CreateDatastore', data }, { ...cause, actor: { kind: 'system', id: 'bench' } })
  }
}

const readMs: number[] = []
const failures: string[] = []
const read = async (): Promise<void> => {
  const sql = 'select count(*)::int as count from read.datastores where owner_id = $1'
  for (let least = 0; !stopping.signal.aborted; ) {
    const look = async (): Promise<void> => {
      const { rows: [row] } = await pool.query<{ count: number }>(sql, [spec.ownerId])
      // Nothing is deleted of what the writers make.
      if (row === undefined || row.count < least) failures.push(`${least} rows became ${row?.count}`)
      least = row?.count ?? least
    }
    readMs.push(await timed(() => look().catch((error: unknown) => failures.push(String(error)))))
  }
}

const load = [...Array.from({ length: writers }, write), ...Array.from({ length: readers }, read)]
await once(process, 'message')
stopping.abort()
await Promise.all(load)
process.send?.({ written, readMs, failures })
await store.close()
await close()
