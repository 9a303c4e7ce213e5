import type { Engine } from '../engine.ts'
import { slotOf } from './layout.ts'
import { literal, psql } from './psql.ts'
import { eventually } from './server.ts'

/** Drops the member's slot, ending whoever still holds it: an abandoned slot keeps the log until the volume is full. */
export const forget: Engine['forget'] = async (node, member) => {
  const slot = `from pg_replication_slots where slot_name = ${literal(slotOf(member))}`
  await eventually(node.signal, async () => {
    const sql = `select pg_terminate_backend(active_pid) ${slot} and active_pid is not null;
select pg_drop_replication_slot(slot_name) ${slot} and active_pid is null;
select count(*) ${slot};`
    return (await psql(node, sql)).trim().endsWith('0')
  })
}
