import type { ChangeKind } from '../../domain/datastore/changes/index.ts'

/** A datastore of two nodes that runs. */
export type Target = { readonly uuid: string; readonly primary: string; readonly replica: string }

export type Call = {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: object
}

/** How a kind of change is asked for. */
export type AskedFor = {
  readonly call: (target: Target) => Call
  /** What must be done before, one after the other. */
  readonly first?: readonly ((target: Target) => Call)[]
  /** How many jobs of that kind the call takes; default 1. */
  readonly jobs?: number
  /** What may be asked for right behind it; default: parameters. */
  readonly next?: ChangeKind
}

const CLUSTER = '/api/prov/api/v2/cluster'
const ACCESS = '/api/userdb/api/v1'

const patch = (body: (target: Target) => object) => (target: Target): Call =>
  ({ method: 'PATCH', path: `${CLUSTER}/${target.uuid}`, body: body(target) })

const onReplica = (verb: string) => ({ uuid, replica }: Target): Call =>
  ({ method: 'POST', path: `${CLUSTER}/${uuid}/nodes/${replica}/${verb}` })

const onAll = (verb: string, body?: object) => ({ uuid }: Target): Call =>
  ({ method: 'POST', path: `${CLUSTER}/${uuid}/${verb}`, ...(body === undefined ? {} : { body }) })

const about =
  (what: 'database' | 'user', method: Call['method'], body: object, verb = '') =>
  ({ uuid }: Target): Call => ({ method, path: `${ACCESS}/${what}/${uuid}${verb}`, body })

const shop = { database_name: 'shop' }
const ada = { database_username: 'ada' }
const grants = { ...ada, database_privileges: [{ database_name: 'ccxdb', privilege: 'read' }] }

/** How each kind of change is asked for through REST; null for what the control plane does of its own accord. */
export const changeCalls: Readonly<Record<ChangeKind, AskedFor | null>> = {
  'add-nodes': { call: patch(() => ({ add_nodes: { specs: [{}] } })) },
  'remove-nodes': { call: patch(({ replica }) => ({ remove_nodes: { node_uuids: [replica] } })) },
  'promote-replica': { call: onReplica('promote') },
  'reboot-node': { call: onReplica('reboot') },
  'repair-node': { call: onReplica('repair') },
  'upgrade-node': { call: onAll('upgrade', { when: 'now' }), jobs: 2 },
  'grow-volumes': { call: patch(() => ({ new_volume_size: 20 })) },
  'change-volume-type': { call: patch(() => ({ change_volume: { new_volume_type: 'tuned', new_volume_iops: 3000 } })) },
  'set-read-only': null,
  'resize-instances': { call: patch(() => ({ new_instance_size: 'medium' })) },
  'change-parameters': {
    call: ({ uuid }) => {
      const body = { parameters: { jit: { value: 'off' } } }
      return { method: 'PUT', path: `/api/db-configuration/v1/${uuid}`, body }
    },
    next: 'reboot-node',
  },
  'create-database': { call: about('database', 'POST', shop) },
  'drop-database': { call: about('database', 'DELETE', shop), first: [about('database', 'POST', shop)] },
  'create-user': { call: about('user', 'POST', ada) },
  'change-user': { call: about('user', 'PUT', grants, '/privileges'), first: [about('user', 'POST', ada)] },
  'drop-user': { call: about('user', 'DELETE', ada), first: [about('user', 'POST', ada)] },
  'change-admin': { call: about('user', 'PUT', { database_username: 'ccxadmin' }, '/password') },
  'apply-firewall': {
    call: ({ uuid }) => ({ method: 'POST', path: `/api/firewall/api/v1/firewall/${uuid}`, body: { source: '192.0.2.0/24' } }),
  },
  'stop-datastore': { call: onAll('stop'), next: 'start-datastore' },
  'start-datastore': { call: onAll('start'), first: [onAll('stop')] },
  'fail-over': null,
  'rejoin-node': null,
  'set-synchronous': { call: patch(() => ({ high_availability: { synchronous: true } })) },
}
