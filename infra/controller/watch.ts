import { setTimeout } from 'node:timers/promises'
import type { ClusterRef, NodeRef } from '../../domain/job/orders.ts'
import type { Alarm, AlarmKey, AlarmRow, ControllerStore, HostRow, HostSeen } from '../controller-store/controller-store.ts'
import type { Engine, Health } from '../engines/engine.ts'
import type { DiskUsage } from '../host.ts'
import type { Provider } from '../providers/provider.ts'
import type { Log } from '../telemetry/logger.ts'
import { type Seen, follows } from './whole.ts'
import type { DiskReports } from './disk-reports.ts'
import { type Nodes, nodes } from './nodes.ts'

const CLUSTERS_AT_ONCE = 8
const PROBE_TIMEOUT_MS = 5_000

export type WatchOptions = {
  readonly engines: readonly Engine[]
  readonly providers: readonly Provider[]
  readonly store: ControllerStore
  readonly log: Log
  /** From the beginning of one round to that of the next. A round that takes longer is followed at once. */
  readonly intervalMs: number
  /** How long one look at a host may take; default 5,000. */
  readonly probeTimeoutMs?: number
  /** Clusters looked at side by side; default 8. */
  readonly concurrency?: number
  readonly now?: () => string
  /** Tells how full the volumes are; left out where nobody is to know. */
  readonly diskReports?: DiskReports
  readonly signal: AbortSignal
}

/**
 * Looks at every host of every registered cluster, round after round, until `signal` aborts. Keeps what it saw in CMON
 * DB and the alarms in step with it. A round that fails is logged; the next one begins anew.
 */
export const watch = async (options: WatchOptions): Promise<void> => {
  const { signal, intervalMs, log } = options
  while (!signal.aborted) {
    const began = performance.now()
    try {
      await watchOnce(options)
    } catch (err) {
      if (!signal.aborted) log.error({ err }, 'the clusters could not be looked at')
    }
    const restMs = Math.max(intervalMs - (performance.now() - began), 0)
    await setTimeout(restMs, undefined, { signal }).catch(() => undefined)
  }
}

/** One round of `watch`. */
export const watchOnce = async (options: WatchOptions): Promise<void> => {
  const { engines, providers, store, signal, log, concurrency = CLUSTERS_AT_ONCE } = options
  const reachable = nodes({ engines, providers })
  const waiting = (await store.clusters()).values()
  const inTurn = async (): Promise<void> => {
    for (const cluster of waiting) {
      if (signal.aborted) return
      try {
        await look(options, reachable, cluster)
      } catch (err) {
        log.error({ datastoreId: cluster.datastoreId, err }, 'a cluster could not be looked at')
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, inTurn))
}

/** What came of one look: an answer, or which kind of silence. */
type Look = {
  readonly node: NodeRef
  readonly health: Health | 'no-contact' | 'broken'
  /** Of its volume, where that has a size. */
  readonly usage?: DiskUsage
}

const look = async (options: WatchOptions, reachable: Nodes, cluster: ClusterRef): Promise<void> => {
  const { store, diskReports, now = () => new Date().toISOString() } = options
  const looks = await Promise.all(cluster.nodes.map((node) => lookAt(options, reachable, { cluster, node })))
  const at = now()
  const before = new Map((await store.hosts(cluster.datastoreId)).map((host) => [host.nodeId, host]))
  const after = looks.map((one) => ({ ...one, seen: seenOf(one, before.get(one.node.nodeId), at) }))
  await alarm(options, await store.alarms(cluster.datastoreId), alarmsOf(cluster, after), at)
  for (const { node, seen } of after) await store.seen(node.nodeId, seen)
  const volumes = looks.flatMap(({ node: { nodeId }, usage }) => (usage === undefined ? [] : [{ nodeId, ...usage }]))
  await diskReports?.(cluster, volumes, at)
}

const lookAt = async (
  { probeTimeoutMs = PROBE_TIMEOUT_MS, signal: stop }: WatchOptions,
  reachable: Nodes,
  { cluster, node }: { readonly cluster: ClusterRef; readonly node: NodeRef },
): Promise<Look> => {
  const limit = AbortSignal.timeout(probeTimeoutMs)
  const signal = AbortSignal.any([limit, stop])
  try {
    const seen = await until(signal, async () => {
      const reached = await reachable.find(cluster, node.nodeId, { signal, note: () => {}, progress: () => {} })
      if (reached === undefined) return { health: 'no-contact' } as const
      // A full volume may be why no server answers.
      const usage = await reached.host.diskUsage().catch(() => undefined)
      const looked = usage === undefined ? {} : { usage }
      const health = await reachable.engine(cluster).probe(reached).catch(() => 'broken' as const)
      return { health, ...looked }
    })
    return { node, ...seen }
  } catch {
    stop.throwIfAborted()
    return { node, health: limit.aborted ? 'no-contact' : 'broken' }
  }
}

/** Gives up on work that does not heed the signal itself. */
const until = async <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work(), aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/**
 * What a look means for a host. One that has never answered is still being made, and one that was stopped on purpose is
 * meant to be silent: neither turns into a failure by its silence.
 */
export const seenOf = ({ health }: Pick<Look, 'health'>, before: HostRow | undefined, at: string): HostSeen => {
  if (typeof health === 'object' && health.role !== 'down') {
    return { role: health.role, status: 'CmonHostOnline', lagBytes: health.lagBytes, lastSeenAt: at }
  }
  const silent = { role: 'unknown', lagBytes: null } as const
  if (before?.shutDown === true) return { ...silent, status: 'CmonHostShutDown' }
  if (before === undefined || before.lastSeenAt === null) return { ...silent, status: 'CmonHostUnknown' }
  return { ...silent, status: health === 'no-contact' ? 'CmonHostOffLine' : 'CmonHostFailed' }
}

type After = Look & { readonly seen: HostSeen }

/** The alarms that ought to be open. */
export const alarmsOf = ({ datastoreId }: ClusterRef, hosts: readonly After[]): readonly Alarm[] => {
  const about = (node: NodeRef, typeName: string) => ({ datastoreId, nodeId: node.nodeId, typeName, subject: '' })
  const primary = hosts
    .flatMap(({ node, health }): readonly Seen[] => (typeof health === 'object' ? [{ node, health }] : []))
    .find(({ health }) => health.role === 'primary')
  return hosts.flatMap(({ node, health, seen }): readonly Alarm[] => {
    const severity = 'ALARM_CRITICAL'
    if (seen.status === 'CmonHostOffLine') {
      const message = `The machine of ${node.name} does not answer.`
      return [{ ...about(node, 'HostUnreachable'), component: 'Node', severity, title: 'Host unreachable', message }]
    }
    if (seen.status === 'CmonHostFailed') {
      const message = `The database server on ${node.name} does not answer.`
      return [{ ...about(node, 'DatabaseDown'), component: 'Node', severity, title: 'Database down', message }]
    }
    if (typeof health !== 'object') return []
    const drift = driftOf(about(node, 'ParametersDrifted'), node, health)
    if (health.role !== 'replica' || primary === undefined || follows({ node, health }, primary)) return drift
    const message = `The replica ${node.name} does not follow the primary.`
    const title = 'Replication broken'
    return [...drift, { ...about(node, 'ReplicationBroken'), component: 'Cluster', severity, title, message }]
  })
}

/** Somebody has changed settings past the control plane, or one waits for a restart. */
const driftOf = (about: AlarmKey, { name }: NodeRef, { drifted = [] }: Health): readonly Alarm[] => {
  if (drifted.length === 0) return []
  const message = `Parameters of ${name} are not what was applied: ${drifted.join(', ')}.`
  return [{ ...about, component: 'Node', severity: 'ALARM_WARNING', title: 'Parameters drifted', message }]
}

const OURS: readonly string[] = ['HostUnreachable', 'DatabaseDown', 'ReplicationBroken', 'ParametersDrifted']

/** Brings the open alarms of the watch in step with what ought to be open, so that only changes are written. */
const alarm = async (
  { store, log }: WatchOptions,
  alarms: readonly AlarmRow[],
  wanted: readonly Alarm[],
  at: string,
): Promise<void> => {
  const open = alarms.filter(({ typeName, clearedAt }) => clearedAt === null && OURS.includes(typeName))
  const same = (a: Alarm, b: Alarm): boolean => a.nodeId === b.nodeId && a.typeName === b.typeName
  for (const one of wanted.filter((each) => !open.some((other) => same(each, other)))) {
    log.warn({ datastoreId: one.datastoreId, nodeId: one.nodeId, alarm: one.typeName }, 'an alarm is raised')
    await store.raise(one, at)
  }
  for (const one of open.filter((each) => !wanted.some((other) => same(each, other)))) {
    log.info({ datastoreId: one.datastoreId, nodeId: one.nodeId, alarm: one.typeName }, 'an alarm is cleared')
    await store.clear(one, at)
  }
}
