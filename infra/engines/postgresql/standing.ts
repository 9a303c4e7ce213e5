import { z } from 'zod'
import type { Engine, ReachedNode } from '../engine.ts'
import { psql } from './psql.ts'
import { eventually, putSetting } from './server.ts'

const FINAL_WITHIN_MS = 5_000

/**
 * A receiver is looked for among the processes, for it is not yet in its own view while it connects. Where nothing was received
 * since the start only the replay tells, once it waits for more. No recycled file has a newer timeline than the log itself.
 */
const QUESTION = `select json_build_object(
  'replica', pg_is_in_recovery(),
  'told', current_setting('primary_conninfo') = '',
  'receiver', (select min(pid) from pg_stat_activity where backend_type = 'walreceiver'),
  'waits', pg_last_wal_receive_lsn() is not null
    or exists (select from pg_stat_activity where backend_type = 'startup'
                and wait_event in ('RecoveryRetrieveRetryInterval', 'RecoveryWalStream')),
  'positionBytes', pg_wal_lsn_diff(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), '0/0'),
  'timeline', (select ('x' || max(substr(name, 1, 8)))::bit(32)::int from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$'))`

const Answer = z.object({
  replica: z.boolean(),
  told: z.boolean(),
  receiver: z.number().nullable(),
  waits: z.boolean(),
  positionBytes: z.number().nullable(),
  timeline: z.number(),
})

const ask = async (node: ReachedNode): Promise<z.infer<typeof Answer>> => {
  const answer = Answer.parse(JSON.parse(await psql(node, QUESTION)))
  if (!answer.replica) throw new Error('a primary receives nothing that could be stopped')
  return answer
}

/**
 * The receiver is ended here too, and not only by the new configuration: a replay that is held up by somebody who reads does not
 * hear of that. A session sees the configuration that was loaded before it began, and so do all who were told with it.
 */
export const standing: Engine['standing'] = async (node) => {
  const { host } = node
  const signal = AbortSignal.any([node.signal, AbortSignal.timeout(FINAL_WITHIN_MS)])
  const here = { ...node, signal }
  let last = await ask(here)
  const isNew = await putSetting(here, 'primary_conninfo', '')
  if (isNew || !last.told) await psql(here, 'select pg_reload_conf()')
  await eventually(signal, async () => {
    const before = last
    last = await ask(here)
    if (last.told && last.receiver !== null) {
      await host.run(['sh', '-c', 'kill -TERM "$1" || true', 'end', String(last.receiver)], { signal })
    }
    const isFinal = last.told && before.told && last.receiver === null && before.receiver === null && last.waits
    return isFinal && last.positionBytes !== null && last.positionBytes === before.positionBytes
  })
  return { positionBytes: last.positionBytes ?? 0, timeline: last.timeline }
}
