import { z } from 'zod'
import type { Look, ReachedNode } from '../engine.ts'
import { driftQuery } from './drift.ts'
import { layoutOf } from './layout.ts'
import { leaseFiles, uptimeIn } from './lease.ts'
import { literal } from './psql.ts'

/** The guard tells every second that it is there. */
const GUARD_SILENT_MS = 4_000

const lsn = (expression: string): string => `(${expression}) - '0/0'::pg_lsn`
const RECEIVED = 'greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())'
const file = (path: string): string => `pg_read_file(${literal(path)}, 0, 128, true)`

/**
 * What is prepared once in a session and asked again and again. A primary's log counts as far as it has reached the disk: no
 * replica is sent more, and no client told of it. On a replica the log's names tell no timeline, so the receiver is asked, and
 * the control file while there is none.
 */
export const prepare = ({ host, ...node }: ReachedNode): string => {
  const layout = layoutOf(host)
  const receiving = `exists (select from pg_stat_wal_receiver where status = 'streaming')`
  return `
prepare look as
select json_build_object(
  'replica', r.replica,
  'readOnly', r.replica or current_setting('default_transaction_read_only')::boolean,
  'lagBytes', case when r.replica then pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) end,
  'lagSeconds', case when not r.replica then null
                     when ${receiving} and pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() then 0
                     else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) end,
  'positionBytes', case when r.replica then ${lsn(RECEIVED)} else ${lsn('pg_current_wal_flush_lsn()')} end,
  'timeline', case when r.replica then coalesce((select received_tli from pg_stat_wal_receiver),
                                               (select timeline_id from pg_control_checkpoint()))
                   else ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::int end,
  'replies', (select coalesce(json_object_agg(application_name,
                       greatest(extract(epoch from clock_timestamp() - reply_time) * 1000, 0)), '{}')
                from pg_stat_replication where state = 'streaming' and application_name <> '' and reply_time is not null),
  'streaming', (select coalesce(json_agg(application_name order by application_name), '[]')
                  from pg_stat_replication where state = 'streaming'),
  'uptime', ${file('/proc/uptime')},
  'seen', ${file(leaseFiles(layout).seen)},
  'fenced', (pg_stat_file(${literal(layout.fenced)}, true)).size is not null)
  from (select pg_is_in_recovery()) r(replica);
prepare drift as ${driftQuery({ host, ...node })};
`
}

const Answer = z.object({
  replica: z.boolean(),
  readOnly: z.boolean(),
  lagBytes: z.number().nullable(),
  lagSeconds: z.number().nullable(),
  positionBytes: z.number().nullable(),
  timeline: z.number().nullable(),
  replies: z.record(z.string(), z.number()),
  streaming: z.array(z.string()),
  uptime: z.string(),
  seen: z.string().nullable(),
  fenced: z.boolean(),
})

const isGuarded = (seen: string | null | undefined, uptimeMs: number): boolean => {
  const [at = '', end] = (seen ?? '').trim().split(' ')
  return end === '.' && uptimeMs - Number(at) * 10 < GUARD_SILENT_MS
}

/** @param members the names of the datastore's members: whoever else streams (a base backup) is none of them */
export const lookIn = (text: string, members: readonly string[], drifted: readonly string[]): Look => {
  const { replica, readOnly, lagBytes, replies, streaming, uptime, seen, fenced, ...rest } = Answer.parse(JSON.parse(text))
  const uptimeMs = uptimeIn(uptime)
  return {
    ...rest,
    role: replica ? 'replica' : 'primary',
    server: 'answers',
    readOnly,
    lagBytes: lagBytes === null ? null : Math.max(lagBytes, 0),
    streaming: streaming.filter((name) => members.includes(name)),
    replyAgesMs: Object.fromEntries(Object.entries(replies).filter(([name]) => members.includes(name))),
    uptimeMs,
    fenced,
    guarded: isGuarded(seen, uptimeMs),
    ...(drifted.length === 0 ? {} : { drifted }),
  }
}

export const driftedIn = (text: string): readonly string[] => z.array(z.string()).parse(JSON.parse(text))

/** $1 is the fence's mark, $2 what the guard has written, $3 the cluster: whether a postmaster is there is the last line. */
const LOOK_AROUND = `
cat /proc/uptime
if [ -e "$1" ]; then echo fenced; else echo open; fi
if [ -e "$2" ]; then cat "$2"; else echo none; fi
pm=; [ -e "$3/postmaster.pid" ] && read -r pm < "$3/postmaster.pid"
case $pm in ''|*[!0-9]*) pm=none;; esac
if [ "/proc/$pm/cwd" -ef "$3" ]; then echo there; else echo gone; fi
`

/** What a machine itself tells of a server to which no connection can be had. */
export const lookAround = async ({ host, signal }: ReachedNode, isUnitRunning: boolean, timeoutMs: number): Promise<Look> => {
  const layout = layoutOf(host)
  const argv = ['sh', '-c', LOOK_AROUND, 'look', layout.fenced, leaseFiles(layout).seen, layout.data] as const
  const [uptime = '', fenced, seen, server] = (await host.run(argv, { signal, timeoutMs })).split('\n')
  const uptimeMs = uptimeIn(uptime)
  return {
    role: 'down',
    server: server === 'there' ? 'refuses' : isUnitRunning ? 'waits-for-lease' : 'ended',
    readOnly: true,
    lagBytes: null,
    lagSeconds: null,
    streaming: [],
    positionBytes: null,
    timeline: null,
    replyAgesMs: {},
    uptimeMs,
    fenced: fenced === 'fenced',
    guarded: isGuarded(seen, uptimeMs),
  }
}
