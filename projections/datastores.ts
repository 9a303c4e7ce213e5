import type { DatastoreCreated } from '../domain/datastore/messages.ts'
import { primaryName, replicaName } from '../domain/datastore/spec.ts'
import { projection } from './projection.ts'
import type { DatastoreRow } from './schema.ts'

/** One row per datastore that is not deleted. */
export const datastores = projection<DatastoreRow>({
  name: 'datastores',
  version: 1,
  table: 'datastores',
  key: 'datastore_id',
  columns: {
    datastore_id: 'text',
    owner_id: 'text',
    name: 'text',
    status: 'text',
    status_reason: 'text',
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
    tags: 'json',
    zones: 'json',
    notifications: 'json',
    maintenance: 'json',
    created_at: 'time',
    updated_at: 'time',
  },

  types: [
    'DatastoreCreated',
    'DatastoreDeployed',
    'DeploymentFailed',
    'DeletionStarted',
    'DeletionAbandoned',
    'DatastoreDeleted',
  ],

  keys({ type, data }) {
    switch (type) {
      case 'DatastoreCreated':
      case 'DatastoreDeployed':
      case 'DeploymentFailed':
      case 'DeletionStarted':
      case 'DeletionAbandoned':
      case 'DatastoreDeleted':
        return [data.datastoreId]
      default:
        return []
    }
  },

  apply(row, { type, data }) {
    if (type === 'DatastoreCreated') return created(data)
    if (row === undefined) return undefined
    const updated = { ...row, updated_at: data.at }
    switch (type) {
      case 'DatastoreDeployed':
        return { ...updated, deployed: true, ...after(row, 'STARTED', null) }
      case 'DeploymentFailed':
        return { ...updated, ...after(row, 'DEPLOY_FAILED', data.because) }
      case 'DeletionStarted':
        return { ...updated, status: 'DELETING', status_reason: null }
      case 'DeletionAbandoned':
        // Everything that was taken down has been put back: it is what it was before.
        return { ...updated, status: row.deployed ? 'STARTED' : 'DEPLOY_FAILED', status_reason: data.because }
      case 'DatastoreDeleted':
        return undefined
      default:
        return row
    }
  },
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

const created = ({ datastoreId, spec, at }: DatastoreCreated['data']): DatastoreRow => ({
  datastore_id: datastoreId,
  owner_id: spec.ownerId,
  name: spec.name,
  status: 'DEPLOYING',
  status_reason: null,
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
  tags: spec.tags,
  zones: spec.nodes.map(({ zone }) => zone),
  notifications: spec.notifications,
  maintenance: {
    day_of_week: spec.maintenance.dayOfWeek,
    start_hour: spec.maintenance.startHour,
    end_hour: spec.maintenance.endHour,
  },
  created_at: at,
  updated_at: at,
})
