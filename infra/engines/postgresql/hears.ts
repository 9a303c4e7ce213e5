import { CommandFailed } from '../../host.ts'
import type { Engine, Member, ReachedNode } from '../engine.ts'
import { psql, psqlAt } from './psql.ts'
import { together } from './server.ts'

const ANSWER_TIMEOUT_MS = 1_000

/** A server that is full refuses a connection, and is alive. */
const FULL = /FATAL: +(?:sorry, too many clients|remaining connection slots|too many connections|number of requested standby)/

const RECEIVED = "select pg_wal_lsn_diff(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), '0/0'), '0/0')"

export const hears: Engine['hears'] = async (node, primary) => {
  const asked = psql(node, RECEIVED, { timeoutMs: 2 * ANSWER_TIMEOUT_MS })
  const [answers, received] = await together(isAnswered(node, primary), asked)
  return { answers, receivedBytes: Number(received.trim()) }
}

const isAnswered = async (node: ReachedNode, primary: Member): Promise<boolean> => {
  try {
    await psqlAt(node, primary, 'select 1', { timeoutMs: ANSWER_TIMEOUT_MS })
    return true
  } catch (error) {
    node.signal.throwIfAborted()
    if (!(error instanceof CommandFailed)) throw error
    return FULL.test(error.stderr)
  }
}
