import { comingBy } from '../domain/datastore/changes/coming.ts'
import type { FailOver } from '../domain/datastore/changes/failover.ts'
import { type DatastoreSpec, type NodePlan, nodeHostname } from '../domain/datastore/spec.ts'
import type { Instant } from '../domain/kernel/time.ts'
import { HEALTH_TYPES, type Health, conditionOf, healthAfter, healthKeys, healthOfNew } from './health.ts'
import type { KnownEvent } from './known-event.ts'
import type { OutageEntry, OutagesRow } from './outage-row.ts'
import { sortablePosition } from './positions.ts'
import { projection } from './projection.ts'

/** One row per datastore that there ever was, with all that ever befell it. */
export const outages = projection<OutagesRow>({
  name: 'outages',
  version: 1,
  table: 'outages',
  key: 'datastore_id',
  columns: { datastore_id: 'text', owner_id: 'text', health: 'json', hostnames: 'json', outages: 'json' },

  types: [...HEALTH_TYPES, 'JobAdmitted', 'JobAbandonmentAsked'],

  keys(event) {
    const { type, data } = event
    if (type === 'JobAbandonmentAsked') return [data.datastoreId]
    if (type !== 'JobAdmitted') return healthKeys(event)
    return comingBy(data.input.change).length > 0 ? [data.datastoreId] : []
  },

  apply(row, event) {
    const { type, data } = event
    if (type === 'DatastoreCreated') {
      const { datastoreId, spec } = data
      const about = { datastore_id: datastoreId, owner_id: spec.ownerId, health: healthOfNew(spec), outages: [] }
      return { ...about, hostnames: named(spec.nodes, datastoreId, spec) }
    }
    if (row === undefined) return undefined
    if (type === 'JobAdmitted') {
      const { datastoreId, input: { spec, change } } = data
      return { ...row, hostnames: { ...row.hostnames, ...named(comingBy(change), datastoreId, spec) } }
    }
    const hostnames =
      type === 'DeploymentRetried'
        ? { ...row.hostnames, ...named(data.spec.nodes, data.datastoreId, data.spec) }
        : row.hostnames
    const health = healthAfter(row.health, event)
    const told = befallen(row, health, event)
    const isSame = told === row.outages && health === row.health && hostnames === row.hostnames
    return isSame ? row : { ...row, hostnames, health, outages: told }
  },
})

const named = (nodes: readonly NodePlan[], datastoreId: string, { domain }: DatastoreSpec): OutagesRow['hostnames'] =>
  Object.fromEntries(nodes.map((node) => [node.nodeId, nodeHostname(node, datastoreId, domain)]))

const nothingKnown = {
  to_node_id: null, last_seen_at: null, detected_at: null, ended_at: null, writes_out_since: null, writes_back_at: null,
  because: null, fenced_by: null, lost_bytes_max: null, job_id: null,
} as const

type Entries = readonly OutageEntry[]

/** The entries after an event that has led from one health to another. */
const befallen = ({ outages: entries, health: before }: OutagesRow, health: Health, event: KnownEvent): Entries => {
  const { type, data } = event
  const begun = { ...nothingKnown, position: sortablePosition(event.position) }
  switch (type) {
    case 'JobQueued':
      return data.change?.kind === 'fail-over' ? failingOver(entries, data.change, { ...begun, job_id: data.jobId }) : entries
    case 'PrimaryChanged':
      return back(entries.map((entry) => (entry.job_id === data.jobId ? succeeded(entry, data) : entry)), data.writesBackAt)
    case 'JobAbandonmentAsked':
    case 'JobEnded': {
      const isOpen = ({ job_id, outcome }: OutageEntry): boolean => job_id === data.jobId && outcome === 'going-on'
      const outcome = type === 'JobEnded' ? 'came-to-nothing' : 'superseded'
      return entries.some(isOpen) ? entries.map((entry) => (isOpen(entry) ? ended(entry, outcome, data.at) : entry)) : entries
    }
    case 'FailoverHeldBack': {
      const { primaryId: node_id, lastSeenAt: last_seen_at, because, at: detected_at } = data
      const facts = { node_id, last_seen_at, detected_at, because, writes_out_since: outSince(entries, last_seen_at) }
      const told = entries.map((entry) => released(entry, detected_at))
      return [...told, { ...begun, kind: 'failover-held-back', outcome: 'going-on', ...facts }]
    }
    case 'PrimaryRecovered':
      return back(entries, data.at)
    case 'ServerRestarted': {
      const { nodeId: node_id, role, downSince, backAt } = data
      const isPrimary = role === 'primary'
      const out = isPrimary ? { writes_out_since: downSince, writes_back_at: backAt } : {}
      const facts = { node_id, last_seen_at: downSince, ended_at: backAt, ...out }
      const told = isPrimary ? back(entries, backAt) : entries
      return [...told, { ...begun, kind: 'server-restart', outcome: 'over', ...facts }]
    }
    case 'NodeLost': {
      const { nodeId: node_id, since: last_seen_at, because, at: detected_at } = data
      const isCause = conditionOf(health) === 'failing' && conditionOf(before) !== 'failing'
      const out = isCause ? { writes_out_since: latest(last_seen_at, entries) } : {}
      const facts = { node_id, last_seen_at, detected_at, because, ...out }
      return [...entries, { ...begun, kind: 'node-lost', outcome: 'going-on', ...facts }]
    }
    case 'NodeRecovered': {
      const isIt = (entry: OutageEntry): boolean => isLoss(entry) && entry.node_id === data.nodeId
      const told = entries.map((entry) => (isIt(entry) ? ended(entry, 'over', data.at) : entry))
      return conditionOf(health) === 'failing' ? told : back(told, data.at)
    }
    case 'DatastoreChanged': {
      // Since when writes were back is told right after it.
      if (data.change.kind === 'fail-over') return entries
      const isGone = (entry: OutageEntry): boolean => isLoss(entry) && !health.lost.includes(entry.node_id)
      const left = entries.map((entry) => (isGone(entry) ? ended(entry, 'replaced', data.at) : entry))
      return conditionOf(health) === 'failing' ? left : back(left, data.at)
    }
    case 'DatastoreDeleted':
      return entries.map((entry) => (entry.outcome === 'going-on' ? ended(entry, 'over', data.at) : entry))
    default:
      return entries
  }
}

type Begun = typeof nothingKnown & Pick<OutageEntry, 'position'>

/** A failover takes the place of what came before it in the same outage, which is its own from then on. */
const failingOver = (
  entries: Entries,
  { lostId: node_id, lastSeenAt: last_seen_at, observedAt: detected_at, because }: FailOver,
  begun: Omit<Begun, 'job_id'> & { readonly job_id: string },
): Entries => {
  const since = outSince(entries, last_seen_at)
  const told = entries.map((entry) => released(entry, detected_at))
  const facts = { node_id, last_seen_at, detected_at, because, writes_out_since: since }
  return [...told, { ...begun, kind: 'failover', outcome: 'going-on', ...facts }]
}

const isOfPrimary = ({ kind }: OutageEntry): boolean => kind === 'failover' || kind === 'failover-held-back'

/** Since when there has been no primary: since before the attempts that have not ended that. */
const outSince = (entries: Entries, lastSeenAt: Instant): Instant => {
  const tries = entries.filter(isOfPrimary)
  const vain = tries.slice(tries.findLastIndex(({ writes_back_at: at }) => at !== null) + 1)
  return vain.reduce((first, { writes_out_since: at }) => (at !== null && at < first ? at : first), lastSeenAt)
}

type Changed = Extract<KnownEvent, { readonly type: 'PrimaryChanged' }>['data']

const succeeded = (entry: OutageEntry, { primaryId, lostBytesMax, fencedBy, writesBackAt }: Changed): OutageEntry => ({
  ...ended(entry, 'over', writesBackAt),
  writes_back_at: writesBackAt,
  to_node_id: primaryId,
  fenced_by: fencedBy ?? null,
  lost_bytes_max: lostBytesMax,
})

const isLoss = ({ kind, outcome }: OutageEntry): boolean => kind === 'node-lost' && outcome === 'going-on'

const ended = (entry: OutageEntry, outcome: OutageEntry['outcome'], at: Instant): OutageEntry => ({
  ...entry, outcome, ended_at: at,
})

/** A hold is over with whatever is done next. */
const released = (entry: OutageEntry, at: Instant): OutageEntry =>
  entry.kind === 'failover-held-back' && entry.outcome === 'going-on' ? ended(entry, 'over', at) : entry

const returned = (entry: OutageEntry, at: Instant): OutageEntry =>
  entry.writes_out_since !== null && entry.writes_back_at === null ? { ...entry, writes_back_at: at } : entry

/** What kept writes away does so no longer. Of all that were at the same outage, the last one tells for how long it was. */
const back = (entries: Entries, at: Instant): Entries => {
  const last = entries.findLastIndex(isOfPrimary)
  return entries.map((entry, n) => {
    if (entry.kind === 'node-lost') return returned(entry, at)
    const over = released(entry, at)
    return n === last && over.outcome !== 'superseded' ? returned(over, at) : over
  })
}

/** A node that is lost keeps no writes away that were taken after it was last seen. */
const latest = (since: Instant, entries: Entries): Instant =>
  entries.reduce((last, { writes_back_at: at }) => (at !== null && at > last ? at : last), since)
