import { CommandFailed } from '../../host.ts'
import type { Engine, NodeContext, ReachedNode } from '../engine.ts'
import { fence, liftFence } from './fence.ts'
import { RECEIVES, copyConninfo, join, streams } from './join.ts'
import { ATTEMPT_PREFIX, layoutOf, slotOf, unitOf } from './layout.ts'
import { type Lineage, descends, endIn, historyOf, lineageOf } from './lineage.ts'
import { literal, psql } from './psql.ts'
import { REWINDS, slots } from './roles.ts'
import {
  STANDBY_SIGNAL, clearAttempts, configure, eventually, hasCluster, isFenced, isStandby, makeCluster, putSetting, start, stop,
} from './server.ts'
import { standing } from './standing.ts'

const STREAMS_WITHIN_MS = 30_000
/** A server reads no more of its own log than is written between two checkpoints. */
const READS_ALL_WITHIN_MS = 180_000
const CHECKPOINT_TIMEOUT_MS = 120_000

/**
 * What cannot follow as it is has gone on after the primary's history had turned off, and is taken back to there; what cannot be
 * taken back, or is of another history, gives way to a copy. At no point do the data lie where a server would begin as a primary
 * with them, so the fence is lifted before the first start.
 */
export const rejoin: Engine['rejoin'] = async (node, primary, known) => {
  if (known === undefined) return following(node, primary)
  const how = await following({ ...node, unconfirming: true }, primary, node)
  await known()
  await configure(node, primary.member)
  await start(node, RECEIVES)
  await eventually(node.signal, () => streams(node, primary.member))
  return how
}

type Rejoined = ReturnType<Engine['rejoin']>

/** @param asWas how it follows if it does so already: one that may confirm goes on to */
const following = async (node: NodeContext, primary: ReachedNode, asWas = node): Rejoined => {
  const { note } = node
  const theirs = await lineageOfPrimary(primary)
  if (!(await hasCluster(node))) return copied(node, primary)
  if ((await isFenced(node)) || !(await isStandby(node))) await fence(node)
  else if (await streamsAlready(asWas, primary)) return 'as-it-was'
  const ours = await lineageOf(node)
  if (ours === undefined || !descends(theirs, ours)) {
    note('its data are of another history')
    return copied(node, primary)
  }
  if ((await node.host.read(`${layoutOf(node.host).data}/backup_label`)) !== undefined) return goneOnWith(node, primary)
  const position = await standsAlone(node, ours)
  if (position === undefined) return copied(node, primary)
  const isAhead = position > (endIn(theirs, ours.timeline) ?? Infinity) || (await isBeyond(primary, position))
  if (isAhead) return rewound(node, primary)
  if (!(await isKept(primary, position))) {
    note(`${primary.member.name} has not kept what it is missing`)
    return copied(node, primary)
  }
  await followsFrom(node, primary)
  return 'as-it-was'
}

const lineageOfPrimary = async (primary: ReachedNode): Promise<Lineage> => {
  const told = await psql(
    primary,
    `select pg_is_in_recovery();
select system_identifier, ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int
  from pg_control_system();`,
  ).catch((cause: unknown) => {
    throw new Error('the primary to be followed does not tell its history', { cause })
  })
  const [, system = '', timeline = ''] = /^f\s+(\d+)\|(\d+)\s*$/.exec(told) ?? []
  const history = timeline === '' ? undefined : await historyOf(primary, Number(timeline))
  if (history === undefined) throw new Error('the primary to be followed does not tell its history')
  return { system, timeline: Number(timeline), history }
}

const streamsAlready = async (node: NodeContext, primary: ReachedNode): Promise<boolean> => {
  if (!(await runs(node)) || !(await streams(node, primary.member))) return false
  await configure(node, primary.member)
  await start(node)
  return true
}

const runs = ({ host }: ReachedNode): Promise<boolean> => host.running(unitOf(layoutOf(host)))


/**
 * What others have in this cluster would be held back for ever, and histories that are newer than its log would lead it off
 * before it has shown where it stands. $1 is the cluster, $2 its newest timeline.
 */
const PREPARE = `
cd -- "$1" || exit 1
find pg_replslot -mindepth 1 -delete && sync -- pg_replslot || exit 1
for history in pg_wal/*.history; do
  [ -e "$history" ] || continue
  name=\${history#pg_wal/}
  [ $((0x\${name%.history})) -le "$2" ] || rm -f -- "$history" || exit 1
done
sync -- pg_wal
`

/**
 * Starts the server as a replica of nobody, unless it runs, and waits until it has read all of its own log.
 *
 * @returns the position at which it stands; undefined when it does not start with these data
 */
const standsAlone = async (node: NodeContext, { timeline }: Lineage): Promise<number | undefined> => {
  const { host, note, signal } = node
  if (!(await runs(node))) {
    await host.run(['sh', '-c', PREPARE, 'prepare', layoutOf(host).data, String(timeline)], { signal })
    // The upstream makes it a replica's configuration; it is not to be reached yet.
    await configure(node, node.member)
    await putSetting(node, 'primary_conninfo', '')
    await liftFence(node)
    note('starting the database server to see where it stands')
  }
  try {
    // One that runs may not answer yet.
    await start({ ...node, signal: AbortSignal.any([signal, AbortSignal.timeout(READS_ALL_WITHIN_MS)]) })
  } catch {
    signal.throwIfAborted()
    note('its server does not start with the data it has')
    return undefined
  }
  return (await standing(node)).positionBytes
}

/** The position as the server writes it. */
const lsn = (bytes: number): string =>
  literal(`${Math.floor(bytes / 2 ** 32).toString(16)}/${(bytes % 2 ** 32).toString(16)}`)

/** Whether the primary has not even written that far. */
const isBeyond = async (primary: ReachedNode, position: number): Promise<boolean> =>
  (await psql(primary, `select ${lsn(position)}::pg_lsn > pg_current_wal_flush_lsn()`)).trim() === 't'

/** Whether the primary still has the log from there on. */
const isKept = async (primary: ReachedNode, position: number): Promise<boolean> => {
  const sql = `select ${lsn(position)}::pg_lsn >= pg_current_wal_flush_lsn() or exists (
  select from pg_ls_waldir() where substr(name, 9) = substr(pg_walfile_name(${lsn(position)}::pg_lsn + 1), 9))`
  return (await psql(primary, sql)).trim() === 't'
}

/** A slot whose log was given up is of no use to anybody. */
const readySlot = async (node: ReachedNode, primary: ReachedNode): Promise<void> => {
  const sql = `select pg_drop_replication_slot(slot_name) from pg_replication_slots
 where slot_name = ${literal(slotOf(node.member))} and active_pid is null and wal_status = 'lost';
${slots([node.member], { reserve: true })}`
  await psql(primary, sql)
}

/** @throws when it does not stream in time */
const followsFrom = async (node: NodeContext, primary: ReachedNode, withinMs = STREAMS_WITHIN_MS): Promise<void> => {
  const signal = AbortSignal.any([node.signal, AbortSignal.timeout(withinMs)])
  const here = { ...node, signal }
  await readySlot(node, primary)
  await configure(here, primary.member)
  await start(here, RECEIVES)
  await eventually(signal, () => streams(here, primary.member))
  node.note(`streaming from ${primary.member.name}`)
}

/**
 * The data are taken back under the name of an attempt: a rewind that is cut off has spoilt them, and nobody must find them.
 * The server that wrote them was stopped cleanly.
 */
const rewound = async (node: NodeContext, primary: ReachedNode): Promise<'rewound' | 'copied'> => {
  const { host, note, signal } = node
  const layout = layoutOf(host)
  note(`taking its data back to where they parted from those of ${primary.member.name}`)
  await stop(node)
  // pg_rewind reads the timeline from the primary's control file, which only a checkpoint writes.
  await psql(primary, `checkpoint;\n${REWINDS}`, { timeoutMs: CHECKPOINT_TIMEOUT_MS, commit: 'local' })
  const source = `${copyConninfo(node, primary.member)} dbname=postgres`
  try {
    await makeCluster(
      node,
      async (folder, run) => {
        await run(['mv', '-T', '--', layout.data, folder])
        await run(['pg_rewind', '--target-pgdata', folder, '--source-server', source, '--no-ensure-shutdown'])
      },
      [STANDBY_SIGNAL],
    )
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof CommandFailed)) throw error
    note('its data could not be taken back')
    return copied(node, primary)
  }
  return goneOnWith(node, primary)
}

/** Data that were taken back, or copied, have a label until they were first started; without the primary they are not whole. */
const goneOnWith = async (node: NodeContext, primary: ReachedNode): Promise<'rewound' | 'copied'> => {
  try {
    await liftFence(node)
    await followsFrom(node, primary, READS_ALL_WITHIN_MS)
    return 'rewound'
  } catch {
    node.signal.throwIfAborted()
    node.note('it does not follow with the data it has')
    return copied(node, primary)
  }
}

const copied = async (node: NodeContext, primary: ReachedNode): Promise<'copied'> => {
  const { host, signal } = node
  const layout = layoutOf(host)
  await host.stop({ ...unitOf(layout), stopSignal: 'SIGQUIT', stopTimeoutMs: 5_000 })
  await clearAttempts(node)
  const aside = `[ ! -d "$1" ] || { mv -T -- "$1" "$2" && sync -- "\${1%/*}"; }`
  await host.run(['sh', '-c', aside, 'aside', layout.data, `${layout.dataDir}/${ATTEMPT_PREFIX}away`], { signal })
  await clearAttempts(node)
  await liftFence(node)
  await join(node, primary.member)
  return 'copied'
}
