import { randomUUID } from 'node:crypto'
import type { Engine, Member, ReachedNode } from '../engine.ts'
import { settingsIn } from './config.ts'
import { layoutOf } from './layout.ts'
import { keepLease, underLease } from './lease.ts'
import { beginningIn } from './lineage.ts'
import { psql, unanswered } from './psql.ts'
import { slots } from './roles.ts'
import { configOf, eventually, isFenced, isStandby, putSetting, together } from './server.ts'

/** For so long the replay may be held up by those who read before their sessions are ended. */
const PATIENCE_MS = 300

/** A lease from when it was a primary the last time would end it at once, so it is given another, or is made to need none. */
export const promote: Engine['promote'] = async (node) => {
  if (node.lease === undefined && (await isStandby(node))) await keepLease(node, null)
  return underLease(node, () => makePrimary(node))
}

/** Nothing waits for a checkpoint here: who needs one asks for it before a rewind. */
const makePrimary: Engine['promote'] = async (node) => {
  const { member, members } = node
  const others = members.filter(({ nodeId }) => nodeId !== member.nodeId)
  const [fenced, begins] = await together(isFenced(node), isStandby(node))
  if (fenced) throw new Error('a node that is fenced is not promoted')
  if (begins) await haveConfirmed(node)
  return { heldBytes: await nameTimeline(node, await takesOver(node, await asked(node, begins, others))) }
}

/**
 * Writes wait meanwhile, so all is asked in one session. Slots come first: the log is kept from here on, and whoever follows
 * later than the next checkpoint needs it.
 *
 * @returns the timeline that it has begun; undefined: not yet
 */
const asked = async (node: ReachedNode, begins: boolean, others: readonly Member[]): Promise<string | undefined> => {
  const orders = begins ? 'select pg_promote(false) where pg_is_in_recovery();\n' : ''
  try {
    return timelineIn(await psql(node, `${slots(others, { reserve: begins })}${orders}${FOR_A_WHILE}${TIMELINE}`))
  } catch (cause) {
    if (!unanswered(cause)) throw cause
    throw new Error('no server answers that could be promoted', { cause })
  }
}

/** Before it is the primary, so that from the first moment on nothing is acknowledged which no replica has. */
const haveConfirmed = async (node: ReachedNode): Promise<void> => {
  const wanted = String(settingsIn(configOf(node, undefined))['synchronous_standby_names'])
  if (!(await putSetting(node, 'synchronous_standby_names', wanted))) return
  await psql(node, 'select pg_reload_conf()')
  const told = `select current_setting('synchronous_standby_names')`
  await eventually(node.signal, async () => (await psql(node, told)).trim() === wanted)
}

/** Replay waits for sessions that read what it is to remove, up to 30 s each (manual, 27.4.2); writes cannot wait that long. */
const END_HINDERING = `select count(pg_terminate_backend(pid)) from pg_stat_activity
 where backend_type = 'client backend' and pid <> pg_backend_pid()
   and exists (select from pg_stat_activity where backend_type = 'startup'
                and (wait_event_type in ('Lock', 'BufferPin') or wait_event like 'RecoveryConflict%'));
`

const TIMELINE = `select case when pg_is_in_recovery() then '-'
  else substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) end;`

/** Statements of a moment each, with nothing held in between: a session could itself be what the replay waits for. */
const FOR_A_WHILE = `
select pg_is_in_recovery() as waits \\gset
\\if :waits
  select pg_sleep(0.01);
\\endif
`.repeat(20)

const timelineIn = (told: string): string | undefined => {
  const last = told.trim().split('\n').at(-1) ?? '-'
  return last === '-' ? undefined : last
}

/** @returns the timeline it has begun, as its files are named */
const takesOver = async (node: ReachedNode, begun: string | undefined): Promise<string> => {
  const patience = AbortSignal.timeout(PATIENCE_MS)
  let timeline = begun
  await eventually(node.signal, async () => {
    timeline ??= timelineIn(await psql(node, `${patience.aborted ? END_HINDERING : ''}${TIMELINE}`))
    return timeline !== undefined
  })
  if (timeline === undefined) throw new Error('BUG: it has begun a timeline')
  return timeline
}

/**
 * Two replicas that were promoted one after the other, neither having heard of the other, have timelines of the same number. So
 * each gets a name of its own, in a comment of its history, which replicas and later timelines take along. $1 is the history, $2
 * the name; a repetition finds it there. All of it is told.
 */
const NAME = `
[ -e "$1" ] || exit 0
case $(tail -n 1 -- "$1") in
  '# promotion '*) ;;
  *) printf '\\n# promotion %s\\n' "$2" >> "$1" && sync -- "$1" || exit 1;;
esac
cat -- "$1"
`

/** @returns where the timeline began, in bytes; null: it is the first */
const nameTimeline = async ({ host, signal }: ReachedNode, timeline: string): Promise<number | null> => {
  const history = `${layoutOf(host).data}/pg_wal/${timeline}.history`
  return beginningIn(await host.run(['sh', '-c', NAME, 'name', history, randomUUID()], { signal }))
}
