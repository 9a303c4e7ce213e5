import { CannotServe, type Engine, type ReachedNode } from '../engine.ts'
import { layoutOf } from './layout.ts'
import { literal, psql, unanswered } from './psql.ts'
import { eventually } from './server.ts'

/**
 * A clean stop ends only once every replica that streams has been sent the last record, so all that is left to wait for is
 * that it is on the replica's disk. What has not come by then never will, and nobody can write in the meantime.
 */
const ARRIVAL_TIMEOUT_MS = 5_000

export const catchUp: Engine['catchUp'] = async (node, former) => {
  const end = await shutdownCheckpoint(former)
  const late = AbortSignal.timeout(ARRIVAL_TIMEOUT_MS)
  try {
    await eventually(AbortSignal.any([node.signal, late]), () => holds(node, end))
  } catch (cause) {
    if (!late.aborted || node.signal.aborted) throw cause
    throw new CannotServe(`it has not received all that ${former.member.name} has written`, { cause })
  }
  node.note(`holds all that ${former.member.name} has written, up to ${end}`)
}

/** Where the last record lies that a server wrote before it ended: nothing but a clean stop ends with a checkpoint. */
const shutdownCheckpoint = async ({ host, member, signal }: ReachedNode): Promise<string> => {
  const told = await host.run(['pg_controldata', '-D', layoutOf(host).data], { env: { LC_ALL: 'C' }, signal })
  const field = (name: string): string | undefined => new RegExp(`^${name}: +(.*)$`, 'm').exec(told)?.[1]
  const end = field('Latest checkpoint location')
  if (field('Database cluster state') !== 'shut down' || end === undefined) {
    throw new CannotServe(`${member.name} was not stopped cleanly`)
  }
  return end
}

/** Whether the record that begins at `position` is on the replica's disk. After a start of it only the replay tells. */
const holds = async (node: ReachedNode, position: string): Promise<boolean> => {
  const received = 'greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())'
  try {
    return (await psql(node, `select ${received} > ${literal(position)}::pg_lsn`)).trim() === 't'
  } catch (error) {
    if (unanswered(error)) return false
    throw error
  }
}
