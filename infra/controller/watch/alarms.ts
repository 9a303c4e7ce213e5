import type { ClusterRef, NodeRef } from '../../../domain/job/orders.ts'
import type { Alarm, AlarmKey, HostRow, HostSeen } from '../../controller-store/controller-store.ts'
import type { Health } from '../../engines/engine.ts'
import type { Seen as SeenNode } from '../whole.ts'
import { follows } from '../whole.ts'
import type { Seen } from './eye.ts'
import type { WatchParts } from './parts.ts'

/**
 * What a look means for a host. One that has never answered is still being made, and one that was stopped on purpose is
 * meant to be silent: neither turns into a failure by its silence.
 */
export const seenOf = ({ look }: Pick<Seen, 'look'>, before: HostRow | undefined, at: string): HostSeen => {
  if (typeof look === 'object' && look.role !== 'down') {
    const { role, lagBytes, positionBytes } = look
    const online = { role, status: 'CmonHostOnline', lagBytes, lastSeenAt: at } as const
    return positionBytes === null ? online : { ...online, positionBytes }
  }
  const silent = { role: 'unknown', lagBytes: null } as const
  if (before?.shutDown === true) return { ...silent, status: 'CmonHostShutDown' }
  if (before === undefined || before.lastSeenAt === null) return { ...silent, status: 'CmonHostUnknown' }
  return { ...silent, status: look === 'no-contact' ? 'CmonHostOffLine' : 'CmonHostFailed' }
}

export type HostLook = Pick<Seen, 'look'> & { readonly node: NodeRef; readonly seen: HostSeen }

const SEVERITY = 'ALARM_CRITICAL'

/** The alarms that ought to be open. */
export const alarmsOf = (
  { datastoreId }: ClusterRef,
  hosts: readonly HostLook[],
  primaryId: string | null,
): readonly Alarm[] => {
  const about = (node: NodeRef, typeName: string) => ({ datastoreId, nodeId: node.nodeId, typeName, subject: '' })
  const primaries = hosts
    .flatMap(({ node, look }): readonly SeenNode[] => (typeof look === 'object' ? [{ node, health: look }] : []))
    .filter(({ health }) => health.role === 'primary')
  const primary = primaries.find(({ node }) => node.nodeId === primaryId) ?? primaries[0]
  return hosts.flatMap(({ node, look, seen }): readonly Alarm[] => {
    const of = (typeName: string, title: string, message: string, component: Alarm['component'] = 'Node'): Alarm => ({
      ...about(node, typeName), component, severity: SEVERITY, title, message,
    })
    if (seen.status === 'CmonHostOffLine') {
      return [of('HostUnreachable', 'Host unreachable', `The machine of ${node.name} does not answer.`)]
    }
    if (seen.status === 'CmonHostFailed') {
      return [of('DatabaseDown', 'Database down', `The database server on ${node.name} does not answer.`)]
    }
    if (typeof look !== 'object') return []
    const drift = driftOf(about(node, 'ParametersDrifted'), node, look)
    if (look.role === 'primary' && primaryId !== null && node.nodeId !== primaryId) {
      const message = `${node.name} takes writes although another node is the primary.`
      return [...drift, of('SecondPrimary', 'Second primary', message, 'Cluster')]
    }
    if (look.role !== 'replica' || primary === undefined || follows({ node, health: look }, primary)) return drift
    const message = `The replica ${node.name} does not follow the primary.`
    return [...drift, of('ReplicationBroken', 'Replication broken', message, 'Cluster')]
  })
}

/** Somebody has changed settings past the control plane, or one waits for a restart. */
const driftOf = (about: AlarmKey, { name }: NodeRef, { drifted = [] }: Health): readonly Alarm[] => {
  if (drifted.length === 0) return []
  const message = `Parameters of ${name} are not what was applied: ${drifted.join(', ')}.`
  return [{ ...about, component: 'Node', severity: 'ALARM_WARNING', title: 'Parameters drifted', message }]
}

const OURS: readonly string[] = ['HostUnreachable', 'DatabaseDown', 'ReplicationBroken', 'ParametersDrifted', 'SecondPrimary']

/**
 * Keeps the open alarms of a datastore in step with what ought to be open, so that only changes are written. Those of another
 * controller are read once; what could not be written is read again.
 */
export const alarmKeeper = ({ store, log, clock }: WatchParts, datastoreId: string) => {
  let open: Map<string, AlarmKey> | undefined
  const keyOf = ({ nodeId, typeName }: AlarmKey): string => `${nodeId} ${typeName}`
  const known = async (): Promise<Map<string, AlarmKey>> => {
    const rows = await store.alarms(datastoreId)
    const ours = rows.filter(({ typeName, clearedAt }) => clearedAt === null && OURS.includes(typeName))
    return new Map(ours.map((row) => [keyOf(row), row]))
  }
  return async (wanted: readonly Alarm[]): Promise<void> => {
    const now = (open ??= await known())
    try {
      for (const one of wanted.filter((each) => !now.has(keyOf(each)))) {
        log.warn({ datastoreId, nodeId: one.nodeId, alarm: one.typeName }, 'an alarm is raised')
        await store.raise(one, clock.now())
        now.set(keyOf(one), one)
      }
      const keys = new Set(wanted.map(keyOf))
      for (const [key, one] of [...now].filter(([each]) => !keys.has(each))) {
        log.info({ datastoreId, nodeId: one.nodeId, alarm: one.typeName }, 'an alarm is cleared')
        await store.clear(one, clock.now())
        now.delete(key)
      }
    } catch (cause) {
      open = undefined
      throw cause
    }
  }
}
