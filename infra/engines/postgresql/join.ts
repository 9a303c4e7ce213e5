import { setTimeout as pause } from 'node:timers/promises'
import { CommandFailed } from '../../host.ts'
import type { Engine, Member, NodeContext, ReachedNode } from '../engine.ts'
import { followsAs, memberConninfo } from './config.ts'
import { layoutOf, slotOf } from './layout.ts'
import { literal, psqlAt, unanswered } from './psql.ts'
import { slots } from './roles.ts'
import type { Run } from './server.ts'
import {
  STANDBY_SIGNAL,
  clearAttempts,
  configure,
  eventually,
  hasCluster,
  isStandby,
  makeCluster,
  start,
  together,
} from './server.ts'

const MEASURE_EVERY_MS = 1_000
const MEASURE = ['sh', '-c', 'du -sk "$1" 2>/dev/null || true', 'measure'] as const

export const join: Engine['join'] = async (node, primary) => {
  const { member, note } = node
  const [made, standby] = await together(
    hasCluster(node),
    isStandby(node),
    clearAttempts(node),
  )
  if (made && !standby) throw new Error("a join does not overwrite a primary's data")
  await (made ? psqlAt(node, primary, slots([member])) : copy(node, primary))
  // After the copy, which tells what the replica needs to have.
  await configure(node, primary)
  note('starting the database server')
  await start(node, RECEIVES)
  await eventually(node.signal, () => streams(node, primary))
  note(`streaming from ${primary.name}`)
}

/** Asked first, of the node itself: to ask the primary takes a connection over the network. */
export const RECEIVES = "select count(*) from pg_stat_wal_receiver where status = 'streaming'"

/**
 * How data are copied from another member. Under another name, for a copy that is being made must not count as the replica that
 * has what is acknowledged; and with patience, for what is copied is written down meanwhile.
 */
export const copyConninfo = ({ host, member }: ReachedNode, from: Member): string =>
  `${memberConninfo(layoutOf(host), { name: `copy of ${member.name}` }, from)} options='-c wal_sender_timeout=60s'`

/**
 * Copies the primary's data. The primary has a slot for each member it was set up with, and that will do if nobody holds
 * it; only when the copy fails is it asked for one.
 */
const copy = async (node: NodeContext, primary: Member): Promise<void> => {
  const { member, note, signal } = node
  const from = copyConninfo(node, primary)
  const fill = (folder: string, run: Run): Promise<string> =>
    measured(node, folder, () => run([
      'pg_basebackup', '--dbname', from, '--pgdata', folder, '--slot', slotOf(member), '--wal-method=stream',
      '--checkpoint=fast', '--no-manifest', '--no-password',
    ]))
  note(`copying the data of ${primary.name}`)
  try {
    await makeCluster(node, fill, [STANDBY_SIGNAL])
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    signal.throwIfAborted()
    await clearAttempts(node)
    await eventually(signal, () => takeSlot(node, primary))
    await makeCluster(node, fill, [STANDBY_SIGNAL])
  }
}

/**
 * Tells how much of a folder is on the disk while it is being filled.
 *
 * @param fill ends with the filling; what it throws is thrown
 */
const measured = async <T>({ host, signal, progress }: NodeContext, folder: string, fill: () => Promise<T>): Promise<T> => {
  const done = new AbortController()
  const until = AbortSignal.any([signal, done.signal])
  const measure = async (): Promise<void> => {
    while (!until.aborted) {
      await pause(MEASURE_EVERY_MS, undefined, { signal: until }).catch(() => undefined)
      if (until.aborted) return
      // Files come and go while it is looked at; what cannot be measured is no progress.
      const told = await host.run([...MEASURE, folder], { signal: until }).catch(() => '')
      const kib = Number(/^\d+/.exec(told)?.[0] ?? 0)
      progress(kib, `${Math.floor(kib / 1024)} MiB are copied`)
    }
  }
  const measuring = measure()
  try {
    return await fill()
  } finally {
    done.abort()
    await measuring
  }
}

/**
 * Makes the member's slot anew, reserving the log from this moment on. Without data of its own the member streams
 * nothing, so whoever holds the slot is left over from an attempt that was cut off.
 *
 * @returns false while the holder has not let go of it yet
 */
const takeSlot = async (node: NodeContext, primary: Member): Promise<boolean> => {
  const slot = literal(slotOf(node.member))
  const ours = `from pg_replication_slots where slot_name = ${slot}`
  const answer = await psqlAt(
    node,
    primary,
    `select pg_terminate_backend(active_pid) ${ours} and active_pid is not null;
select pg_drop_replication_slot(slot_name) ${ours} and active_pid is null;
select pg_create_physical_replication_slot(${slot}, true) where not exists (select ${ours});
select count(*) ${ours} and active_pid is null;`,
  )
  return answer.trim().endsWith('1')
}

/** Whether the primary itself sees the member stream from it. */
export const streams = async (node: NodeContext, primary: Member): Promise<boolean> => {
  const sql = `select count(*) from pg_stat_replication where state = 'streaming' and application_name = `
  try {
    return (await psqlAt(node, primary, sql + literal(followsAs(node)))).trim() !== '0'
  } catch (error) {
    if (unanswered(error)) return false
    throw error
  }
}
