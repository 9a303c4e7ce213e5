import type { Change } from '../domain/datastore/changes/index.ts'
import { highAvailabilityOf } from '../domain/datastore/high-availability.ts'
import type { DatastoreCreated, Settings } from '../domain/datastore/messages.ts'
import {
  type Autoscale, type HighAvailability, type NodePlan, type TrustedSource, primaryName, replicaName,
} from '../domain/datastore/spec.ts'
import { HEALTH_TYPES, healthAfter, healthKeys, healthOfNew } from './health.ts'
import type { KnownEvent } from './known-event.ts'
import { projection } from './projection.ts'
import type { DatastoreRow, Targeted } from './schema.ts'

/** One row per datastore that is not deleted. */
export const datastores = projection<DatastoreRow>({
  name: 'datastores',
  version: 5,
  table: 'datastores',
  key: 'datastore_id',
  columns: {
    datastore_id: 'text',
    owner_id: 'text',
    name: 'text',
    status: 'text',
    status_reason: 'text',
    stopped: 'boolean',
    deployed: 'boolean',
    vendor: 'text',
    version: 'text',
    type: 'text',
    cloud: 'text',
    region: 'text',
    instance_size: 'text',
    volume_type: 'text',
    volume_size_gib: 'integer',
    volume_iops: 'integer',
    network_type: 'text',
    high_availability: 'boolean',
    size: 'integer',
    port: 'integer',
    primary_host: 'text',
    replica_host: 'text',
    db_username: 'text',
    db_database: 'text',
    parameter_group_id: 'text',
    tags: 'json',
    places: 'json',
    notifications: 'json',
    maintenance: 'json',
    targets: 'json',
    read_only_because: 'text',
    autoscale: 'json',
    upgrade_in_window: 'text',
    trusted: 'json',
    availability: 'json',
    health: 'json',
    created_at: 'time',
    updated_at: 'time',
  },

  types: [
    ...HEALTH_TYPES,
    'DeploymentFailed',
    'DeletionStarted',
    'DeletionAbandoned',
    'SettingsChanged',
    'ChangeAbandoned',
    'SourcesTrusted',
    'SourcesRevoked',
  ],

  keys(event) {
    const { type, data } = event
    switch (type) {
      case 'DatastoreCreated':
      case 'DatastoreDeployed':
      case 'DeploymentFailed':
      case 'DeploymentRetried':
      case 'DeletionStarted':
      case 'DeletionAbandoned':
      case 'DatastoreDeleted':
      case 'SettingsChanged':
      case 'DatastoreChanged':
      case 'SourcesTrusted':
      case 'SourcesRevoked':
        return [data.datastoreId]
      case 'ChangeAbandoned':
      case 'JobQueued':
        return data.change !== undefined && isTargeted(data.change) ? [data.datastoreId] : healthKeys(event)
      default:
        return healthKeys(event)
    }
  },

  apply(row, event) {
    if (event.type === 'DatastoreCreated') return created(event.data)
    if (row === undefined) return undefined
    const health = healthAfter(row.health, event)
    const next = settledAfter(row, event)
    return next === undefined || health === row.health ? next : { ...next, health, updated_at: event.data.at }
  },
})

const settledAfter = (row: DatastoreRow, { type, data }: KnownEvent): DatastoreRow | undefined => {
  const updated = { ...row, updated_at: data.at }
  switch (type) {
    case 'DatastoreDeployed':
      return { ...updated, deployed: true, ...after(row, 'STARTED', null) }
    case 'DeploymentFailed':
      return { ...updated, ...after(row, 'DEPLOY_FAILED', data.because) }
    case 'DeploymentRetried':
      return { ...updated, status: 'DEPLOYING', status_reason: null, places: data.spec.nodes.map(placeOf) }
    case 'DeletionStarted':
      return { ...updated, status: 'DELETING', status_reason: null }
    case 'DeletionAbandoned':
      // Everything that was taken down has been put back: it is what it was before.
      return { ...updated, status: cameTo(row), status_reason: data.because }
    case 'DatastoreDeleted':
      return undefined
    case 'SettingsChanged':
      return { ...updated, ...set(row, data.settings) }
    case 'DatastoreChanged': {
      const places = placesAfter(row.places, data.change)
      const targets = without(row.targets, data.jobId)
      return { ...updated, ...poweredBy(row, data.change), ...partsAfter(row, data.change), places, size: places.length, targets }
    }
    case 'JobQueued': {
      const target = data.change && targetOf(data.change)
      return target === undefined ? row : { ...row, targets: [...row.targets, { job_id: data.jobId, ...target }] }
    }
    case 'ChangeAbandoned':
      return { ...row, targets: without(row.targets, data.jobId) }
    case 'SourcesTrusted':
      return { ...updated, trusted: [...row.trusted, ...data.sources.map(trustedOf)] }
    case 'SourcesRevoked':
      return { ...updated, trusted: row.trusted.filter(({ rule_id }) => !data.ruleIds.includes(rule_id)) }
    default:
      return row
  }
}

const cameTo = ({ deployed, stopped }: DatastoreRow): DatastoreRow['status'] => {
  if (!deployed) return 'DEPLOY_FAILED'
  return stopped ? 'STOPPED' : 'STARTED'
}

/** What a stop or a start comes to, unless the datastore is on its way out already. */
const poweredBy = (row: DatastoreRow, { kind }: Change): Partial<DatastoreRow> => {
  if (kind !== 'stop-datastore' && kind !== 'start-datastore') return {}
  const stopped = kind === 'stop-datastore'
  return { stopped, ...after(row, stopped ? 'STOPPED' : 'STARTED', null) }
}

const trustedOf = ({ ruleId, source, description }: TrustedSource): DatastoreRow['trusted'][number] => ({
  rule_id: ruleId, source, description,
})

/** What a deployment comes to, unless the datastore is on its way out already. */
const after = (
  row: DatastoreRow,
  status: DatastoreRow['status'],
  reason: string | null,
): Pick<DatastoreRow, 'status' | 'status_reason'> =>
  row.status === 'DELETING'
    ? { status: row.status, status_reason: row.status_reason }
    : { status, status_reason: reason }

/** What a tenant may set without a job, as it is read; what he has left alone is absent. */
const set = (
  { availability }: DatastoreRow,
  { maintenance, autoscale, upgradeInWindow, highAvailability, ...words }: Settings,
): Partial<DatastoreRow> => ({
  ...words,
  ...(highAvailability === undefined
    ? {}
    : { availability: availabilityOf({ ...highAvailability, synchronous: availability.synchronous }) }),
  ...(autoscale === undefined ? {} : { autoscale: autoscaleOf(autoscale) }),
  ...(upgradeInWindow === undefined ? {} : { upgrade_in_window: upgradeInWindow }),
  ...(maintenance === undefined ? {} : { maintenance: windowOf(maintenance) }),
})

const autoscaleOf = ({ enabled, thresholdPercent, stepPercent, maxGib }: Autoscale): DatastoreRow['autoscale'] => ({
  enabled,
  threshold_percent: thresholdPercent,
  step_percent: stepPercent,
  max_gib: maxGib,
})

const availabilityOf = (highAvailability: HighAvailability | undefined): DatastoreRow['availability'] => {
  const { synchronous, prefer, repairAfterSeconds, lagMaxBytes, failoversPerHourMax } = highAvailabilityOf(
    highAvailability === undefined ? {} : { highAvailability },
  )
  return {
    synchronous,
    prefer,
    repair_after_seconds: repairAfterSeconds,
    lag_max_bytes: lagMaxBytes,
    max_failovers_per_hour: failoversPerHourMax,
  }
}

/** What clients are to read of a change before it is done. */
const targetOf = (change: Change): Partial<Targeted> | undefined => {
  switch (change.kind) {
    case 'resize-instances':
      return { instance_size: change.instance.code }
    case 'grow-volumes':
      return { volume_size_gib: change.sizeGib }
    case 'change-volume-type': {
      const { type, sizeGib, iops } = change.volume
      return { volume_type: type, volume_size_gib: sizeGib, volume_iops: iops }
    }
    default:
      return undefined
  }
}

const isTargeted = (change: Change): boolean => targetOf(change) !== undefined

const without = (targets: DatastoreRow['targets'], jobId: string): DatastoreRow['targets'] =>
  targets.filter(({ job_id }) => job_id !== jobId)

/** What a change has made of it, beside its nodes. */
const partsAfter = (row: DatastoreRow, change: Change): Partial<DatastoreRow> => {
  if (change.kind === 'set-read-only') return { read_only_because: change.readOnly ? change.because : null }
  if (change.kind === 'set-synchronous') return { availability: { ...row.availability, synchronous: change.synchronous } }
  if (change.kind === 'change-parameters') return { parameter_group_id: change.groupId }
  return targetOf(change) ?? {}
}

const windowOf = ({ dayOfWeek, startHour, endHour }: DatastoreCreated['data']['spec']['maintenance']) => ({
  day_of_week: dayOfWeek,
  start_hour: startHour,
  end_hour: endHour,
})

const placeOf = ({ nodeId, zone }: NodePlan): DatastoreRow['places'][number] => ({ node_id: nodeId, zone })

const placesAfter = (places: DatastoreRow['places'], change: Change): DatastoreRow['places'] => {
  switch (change.kind) {
    case 'add-nodes':
      return [...places, ...change.nodes.map(placeOf)]
    case 'remove-nodes':
      return places.filter(({ node_id }) => !change.nodeIds.includes(node_id))
    case 'repair-node':
    case 'upgrade-node': {
      const { nodeId, replacement } = change
      return replacement === null ? places : places.map((place) => (place.node_id === nodeId ? placeOf(replacement) : place))
    }
    default:
      return places
  }
}

const created = ({ datastoreId, spec, at }: DatastoreCreated['data']): DatastoreRow => ({
  datastore_id: datastoreId,
  owner_id: spec.ownerId,
  name: spec.name,
  status: 'DEPLOYING',
  status_reason: null,
  stopped: false,
  deployed: false,
  vendor: spec.vendor,
  version: spec.version,
  type: spec.type,
  cloud: spec.cloud,
  region: spec.region,
  instance_size: spec.instance.code,
  volume_type: spec.volume.type,
  volume_size_gib: spec.volume.sizeGib,
  volume_iops: spec.volume.iops,
  network_type: spec.network.type,
  high_availability: spec.network.haEnabled,
  size: spec.nodes.length,
  port: spec.port,
  primary_host: primaryName(datastoreId, spec.domain),
  replica_host: replicaName(datastoreId, spec.domain),
  db_username: spec.account.username,
  db_database: spec.account.database,
  parameter_group_id: spec.parameters?.groupId ?? null,
  tags: spec.tags,
  places: spec.nodes.map(placeOf),
  notifications: spec.notifications,
  maintenance: windowOf(spec.maintenance),
  targets: [],
  read_only_because: null,
  autoscale: spec.autoscale === undefined ? null : autoscaleOf(spec.autoscale),
  upgrade_in_window: spec.upgradeInWindow ?? null,
  trusted: (spec.trusted ?? []).map(trustedOf),
  availability: availabilityOf(spec.highAvailability),
  health: healthOfNew(spec),
  created_at: at,
  updated_at: at,
})
