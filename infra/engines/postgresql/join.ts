import type { Engine, Member, NodeContext } from '../engine.ts'
import { memberConninfo } from './config.ts'
import { layoutOf, slotOf } from './layout.ts'
import { literal, psqlAt, unanswered } from './psql.ts'
import { slots } from './roles.ts'
import { configure, eventually, hasCluster, isStandby, makeCluster, start } from './server.ts'

export const join: Engine['join'] = async (node, primary) => {
  const { member, note } = node
  const made = await hasCluster(node)
  if (made && !(await isStandby(node))) throw new Error("a join does not overwrite a primary's data")
  await configure(node, primary)
  await psqlAt(node, primary, slots([member]))
  if (!made) await copy(node, primary)
  note('starting the database server')
  await start(node)
  await eventually(node.signal, () => streams(node, primary))
  note(`streaming from ${primary.name}`)
}

const copy = async (node: NodeContext, primary: Member): Promise<void> => {
  const { host, member, note, signal } = node
  await eventually(signal, () => slotIsFree(node, primary))
  await makeCluster(node, async (folder, run) => {
    note(`copying the data of ${primary.name}`)
    await run([
      'pg_basebackup', '--dbname', memberConninfo(layoutOf(host), member, primary), '--pgdata', folder,
      '--slot', slotOf(member), '--wal-method=stream', '--checkpoint=fast', '--no-manifest', '--no-password',
    ])
    await host.write(`${folder}/standby.signal`, '', 0o600)
  })
}

/**
 * Without data of its own this member streams nothing: whoever holds its slot is left over from an attempt that was
 * cut off.
 */
const slotIsFree = async (node: NodeContext, primary: Member): Promise<boolean> => {
  const held = `from pg_replication_slots where slot_name = ${literal(slotOf(node.member))} and active_pid is not null`
  const sql = `select pg_terminate_backend(active_pid) ${held}; select count(*) ${held};`
  return (await psqlAt(node, primary, sql)).trim().endsWith('0')
}

const streams = async (node: NodeContext, primary: Member): Promise<boolean> => {
  const sql = `select count(*) from pg_stat_replication where state = 'streaming' and application_name = `
  try {
    return (await psqlAt(node, primary, sql + literal(node.member.name))).trim() !== '0'
  } catch (error) {
    if (unanswered(error)) return false
    throw error
  }
}
