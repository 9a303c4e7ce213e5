import { highAvailabilityOf } from '../domain/datastore/high-availability.ts'
import type { DatastoreSpec, NodeRole, NodeState } from '../domain/datastore/spec.ts'
import type { Instant } from '../domain/kernel/time.ts'
import type { KnownEvent } from './known-event.ts'

/** What is known of how a datastore is doing. */
export type Health = {
  readonly synchronous: boolean
  /** Those that serve, or would if they were not lost. */
  readonly nodes: readonly { readonly node_id: string; readonly role: NodeRole }[]
  readonly lost: readonly string[]
  /** The failover at work, since the primary takes no writes. */
  readonly failing: { readonly job_id: string; readonly because: string } | null
  /** The primary is lost, and nobody has its place; `until`: nobody takes it before then. */
  readonly away: { readonly last_seen_at: Instant; readonly until: Instant | null; readonly because: string } | null
}

/** `failing`: no writes are taken. `degraded`: they are, with fewer nodes than there should be. */
export type Condition = 'well' | 'degraded' | 'failing'

/** The events that `healthAfter` makes something of. */
export const HEALTH_TYPES = [
  'DatastoreCreated', 'DeploymentRetried', 'DatastoreDeployed', 'DatastoreChanged', 'DatastoreDeleted', 'JobQueued', 'JobEnded',
  'PrimaryChanged', 'FailoverHeldBack', 'PrimaryRecovered', 'NodeLost', 'NodeRecovered', 'ServerRestarted',
] as const satisfies readonly KnownEvent['type'][]

/** The datastore whose health an event may change. */
export const healthKeys = ({ type, data }: KnownEvent): readonly string[] => {
  switch (type) {
    case 'DatastoreCreated':
    case 'DeploymentRetried':
    case 'DatastoreDeployed':
    case 'DatastoreChanged':
    case 'DatastoreDeleted':
    case 'PrimaryChanged':
    case 'FailoverHeldBack':
    case 'PrimaryRecovered':
    case 'NodeLost':
    case 'NodeRecovered':
    case 'ServerRestarted':
      return [data.datastoreId]
    case 'JobQueued':
    case 'JobEnded':
      return data.kind === 'fail-over' ? [data.datastoreId] : []
    default:
      return []
  }
}

/** How a datastore is doing that is not there yet. */
export const healthOfNew = (spec: DatastoreSpec): Health => ({
  synchronous: highAvailabilityOf(spec).synchronous,
  nodes: [],
  lost: [],
  failing: null,
  away: null,
})

const partsOf = (nodes: readonly NodeState[]): Health['nodes'] => nodes.map(({ nodeId, role }) => ({ node_id: nodeId, role }))

const isPrimary = ({ nodes }: Health, nodeId: string): boolean =>
  nodes.some(({ node_id, role }) => node_id === nodeId && role === 'primary')

/** How a datastore is doing after an event; the same object back: the event says nothing of it. */
export const healthAfter = (health: Health, { type, data }: KnownEvent): Health => {
  switch (type) {
    case 'DatastoreCreated':
    case 'DeploymentRetried':
      return healthOfNew(data.spec)
    case 'DatastoreDeployed':
      return { ...health, nodes: partsOf(data.nodes) }
    // A change ends with a look at every node that is not lost.
    case 'DatastoreChanged': {
      const there = new Set(data.nodes.map(({ nodeId }) => nodeId))
      const { change, nodes } = data
      const synchronous = change.kind === 'set-synchronous' ? change.synchronous : health.synchronous
      const lost = health.lost.filter((nodeId) => there.has(nodeId))
      const away = health.failing === null ? null : health.away
      return { ...health, synchronous, nodes: partsOf(nodes), lost, away }
    }
    case 'JobQueued': {
      if (data.change?.kind !== 'fail-over') return health
      const { lastSeenAt: last_seen_at, because } = data.change
      return { ...health, failing: { job_id: data.jobId, because }, away: { last_seen_at, until: null, because } }
    }
    case 'JobEnded':
      return health.failing?.job_id === data.jobId ? { ...health, failing: null } : health
    case 'PrimaryChanged': {
      const roleOf = (nodeId: string): NodeRole => (nodeId === data.primaryId ? 'primary' : 'replica')
      const nodes = health.nodes.map(({ node_id }) => ({ node_id, role: roleOf(node_id) }))
      const lost = [...health.lost.filter((nodeId) => nodeId !== data.primaryId && nodeId !== data.formerId), data.formerId]
      return { ...health, nodes, lost, failing: null, away: null }
    }
    case 'FailoverHeldBack': {
      const { lastSeenAt: last_seen_at, until, because } = data
      return { ...health, away: { last_seen_at, until, because } }
    }
    case 'PrimaryRecovered':
      return { ...health, away: null }
    case 'NodeLost':
      return health.lost.includes(data.nodeId) ? health : { ...health, lost: [...health.lost, data.nodeId] }
    case 'NodeRecovered':
      return { ...health, lost: health.lost.filter((nodeId) => nodeId !== data.nodeId) }
    case 'ServerRestarted':
      return health.away !== null && isPrimary(health, data.nodeId) ? { ...health, away: null } : health
    default:
      return health
  }
}

/** Whether writes are taken, and by how many of the nodes that there should be. */
export const conditionOf = ({ synchronous, nodes, lost, failing, away }: Health): Condition => {
  const isLost = ({ node_id }: { readonly node_id: string }): boolean => lost.includes(node_id)
  const replicas = nodes.filter(({ role }) => role === 'replica')
  const isPrimaryLost = nodes.some((node) => node.role === 'primary' && isLost(node))
  // Who waits for a replica waits for ever where none is left.
  const isWaitedFor = synchronous && replicas.length > 0 && replicas.every(isLost)
  if (failing !== null || away !== null || isPrimaryLost || isWaitedFor) return 'failing'
  return nodes.some(isLost) ? 'degraded' : 'well'
}
