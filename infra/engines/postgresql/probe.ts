import { z } from 'zod'
import type { Engine, Health, ReachedNode } from '../engine.ts'
import { driftQuery } from './drift.ts'
import { psql, unanswered } from './psql.ts'

const PROBE_TIMEOUT_MS = 10_000

const queryFor = (node: ReachedNode): string => `
select json_build_object(
  'replica', pg_is_in_recovery(),
  'readOnly', pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean,
  'lagBytes', case when pg_is_in_recovery()
                   then pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) end,
  'streaming', (select coalesce(json_agg(application_name order by application_name), '[]')
                  from pg_stat_replication where state = 'streaming'),
  'drifted', (${driftQuery(node)}))
`

const Answer = z.object({
  replica: z.boolean(),
  readOnly: z.boolean(),
  lagBytes: z.number().nullable(),
  streaming: z.array(z.string()),
  drifted: z.array(z.string()),
})

const down: Health = { role: 'down', readOnly: true, lagBytes: null, streaming: [] }

/**
 * Reads the probe's answer.
 *
 * @param text what the query gave
 * @param members the names of the datastore's members: whoever else streams (a base backup) is none of them
 */
export const healthIn = (text: string, members: readonly string[]): Health => {
  const { replica, readOnly, lagBytes, streaming, drifted } = Answer.parse(JSON.parse(text))
  return {
    role: replica ? 'replica' : 'primary',
    readOnly,
    // What was replayed from the local log can be ahead of what has been received since the start.
    lagBytes: lagBytes === null ? null : Math.max(lagBytes, 0),
    streaming: streaming.filter((name) => members.includes(name)),
    ...(drifted.length === 0 ? {} : { drifted }),
  }
}

export const probe: Engine['probe'] = async (node) => {
  try {
    const answer = await psql(node, queryFor(node), { timeoutMs: PROBE_TIMEOUT_MS, as: 'tenant' })
    return healthIn(answer, node.members.map(({ name }) => name))
  } catch (error) {
    if (unanswered(error)) return down
    throw error
  }
}
