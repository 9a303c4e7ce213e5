import type { Engine } from '../engine.ts'
import { SUPERUSER } from './layout.ts'
import { literal, psql } from './psql.ts'
import { probe } from './probe.ts'
import { eventually } from './server.ts'

const WRITERS = `
  from pg_stat_activity
 where backend_type = 'client backend' and backend_xid is not null and usename <> ${literal(SUPERUSER)}`

/**
 * A transaction that has begun keeps the mode it began with, however long it goes on; only one that has written something
 * has an id. Sessions are told of the new mode after the server itself.
 */
export const endWriters: Engine['endWriters'] = async (node) => {
  await eventually(node.signal, async () => (await probe(node)).readOnly)
  const ended = await psql(node, `select count(pg_terminate_backend(pid)) ${WRITERS}`)
  if (ended.trim() !== '0') node.note(`sessions that were writing and have been ended: ${ended.trim()}`)
  await eventually(node.signal, async () => (await psql(node, `select count(*) ${WRITERS}`)).trim() === '0')
}
