import pg from 'pg'
import { eventStoreServer } from '../../infra/embedded/event-store/server.ts'
import { noon } from './examples.ts'
import { randomHistory } from './history.ts'

const SEEDS = [7_001, 7_002, 7_003, 7_004, 7_005]
const SIZE = { datastores: 250, moves: 40_000 }
const ROWS_AT_ONCE = 2_000
const FIRST_POSITION = 256
/** What one event takes of the log, about. */
const STRIDE = 1_500

/**
 * Writes a long log straight into the database of the embedded event store, before that is started: random histories,
 * and copies of them under other ids, side by side.
 *
 * @param databaseUrl of the event store's database
 * @param eventsMin how many events there are at least
 * @returns how many there are
 */
export const longLog = async (databaseUrl: string, eventsMin: number): Promise<number> => {
  // It makes its schema by itself.
  const server = await eventStoreServer({ host: '127.0.0.1', port: 0, databaseUrl })
  await server.close()
  const revisions = new Map<string, number>()
  const rows = SEEDS.flatMap((seed) =>
    randomHistory(seed, SIZE).flatMap(({ stream, events }) =>
      events.map((event) => {
        const revision = revisions.get(stream) ?? 0
        revisions.set(stream, revision + 1)
        return { ...event, seed, stream, revision }
      }),
    ),
  )
  const copies = Math.ceil(eventsMin / rows.length)
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query(`create temp table base
    (n serial, seed text, stream text, revision bigint, id text, type text, data text, metadata text)`)
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
    await client.query(
      `insert into base (seed, stream, revision, id, type, data, metadata)
       select seed, stream, revision, id, type, data::text, metadata::text from json_to_recordset($1::json)
         as t (seed text, stream text, revision bigint, id text, type text, data json, metadata json)`,
      [JSON.stringify(rows.slice(at, at + ROWS_AT_ONCE))],
    )
  }
  const own = (column: string) => `replace(${column}, '_' || seed || '_', '_' || seed || 'x' || copy || '_')`
  await client.query(
    `insert into event_store.events
     select ${FIRST_POSITION} + (n::bigint * ${copies} + copy) * ${STRIDE}, ${own('stream')}, revision,
       overlay(overlay(md5(id || copy) placing '5' from 13) placing '8' from 17)::uuid, type, 'application/json',
       (extract(epoch from $1::timestamptz) * 1e7)::bigint,
       convert_to(${own('data')}, 'UTF8'), convert_to(${own('metadata')}, 'UTF8')
     from base cross join generate_series(0, ${copies - 1}) as t (copy)`,
    [noon],
  )
  await client.query('analyze event_store.events')
  await client.end()
  return rows.length * copies
}
