import type { JobInput } from '../../domain/datastore/messages.ts'
import type { DatastoreSpec, NodeState } from '../../domain/datastore/spec.ts'
import { sealed } from './personal-data.ts'

export const noon = '2030-01-01T12:00:00.000Z'

const instance = { code: 'tiny', cpu: 1, ramGb: 2 }

/** A specification as the planner would have made it, with nodes `nod_1` … */
export const exampleSpec = (size: number): DatastoreSpec => ({
  name: sealed('orders'),
  ownerId: 'own_1',
  vendor: 'vendor-a',
  engine: 'engine-a',
  version: '2',
  type: 'replication',
  cloud: 'cloud-a',
  provider: 'provider-a',
  region: 'region-a',
  instance,
  volume: { type: 'fast', sizeGib: 10, iops: null },
  network: { networkId: 'net_1', type: 'public', haEnabled: size > 1 },
  port: 5432,
  domain: 'ccx.test',
  ttlSeconds: 5,
  account: { username: 'ccxadmin', database: 'ccxdb' },
  tags: [],
  notifications: { enabled: false, emails: [] },
  maintenance: { dayOfWeek: 1, startHour: 0, endHour: 2 },
  nodes: Array.from({ length: size }, (_, index) => ({
    nodeId: `nod_${index + 1}`,
    name: `db-${index + 1}`,
    zone: `zone-${index + 1}`,
    instance,
  })),
})

/** The nodes of `exampleSpec` once they exist; the first is the primary. */
export const exampleNodes = (size: number): readonly NodeState[] =>
  exampleSpec(size).nodes.map(({ nodeId }, index) => ({
    nodeId,
    role: index === 0 ? 'primary' : 'replica',
    privateAddress: `10.0.0.${index + 1}`,
    publicAddress: `203.0.113.${index + 1}`,
  }))

/** What a job is given on a datastore of `size` nodes that was never deployed. */
export const newInput = (size: number): JobInput => ({ datastoreId: 'clu_1', spec: exampleSpec(size), nodes: [] })

/** What a job is given on a datastore of `size` nodes that is up. */
export const deployedInput = (size: number): JobInput => ({ ...newInput(size), nodes: exampleNodes(size) })
