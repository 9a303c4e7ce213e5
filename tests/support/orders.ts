import type {
  ClusterRef, DatabaseRef, Order, OrderOutcome, OrderSubject, PlacedOrder, UserRef,
} from '../../domain/job/orders.ts'
import { sealed } from './personal-data.ts'

const datastoreId = 'dst_1'
const provider = 'provider-x'
const instance = { code: 'tiny', cpu: 1, ramGb: 2 }
const firewall = { ports: [5432, 9100], trusted: [sealed('192.0.2.0/24')] }
const node = { provider, datastoreId, nodeId: 'nod_1' }

export const cluster: ClusterRef = {
  datastoreId,
  ownerId: 'own_1',
  engine: 'engine-x',
  version: '15',
  instance,
  nodes: [
    {
      nodeId: 'nod_1',
      name: 'db-1',
      hostname: 'db-1.dst-1.ccx.test',
      provider,
      address: '127.0.10.1',
      port: 5432,
      instance,
    },
  ],
  trusted: [sealed('192.0.2.0/24')],
}

const database: DatabaseRef = { name: sealed('shop'), owner: { administrator: 'ccxadmin' }, mark: 'mark_1' }
const user: UserRef = {
  name: sealed('ada'),
  second: sealed('ada_b'),
  as: null,
  administrator: 'ccxadmin',
  grants: [{ database: sealed('shop'), privilege: 'write' }],
  logins: [{ slot: 'first', vaultId: 'vlt_1', until: '2030-01-01T12:00:00.000Z' }],
  mark: 'mark_2',
}

/** One order of every kind there is. */
export const everyOrder: { readonly [S in OrderSubject]: Extract<Order, { readonly subject: S }> } = {
  'infra.create-network': {
    subject: 'infra.create-network',
    body: { provider, datastoreId, networkId: 'net_1', region: 'here' },
  },
  'infra.delete-network': { subject: 'infra.delete-network', body: { provider, datastoreId, networkId: 'net_1' } },
  'infra.create-machine': {
    subject: 'infra.create-machine',
    body: { ...node, networkId: 'net_1', name: 'db-1', region: 'here', zone: 'a', instance, firewall },
  },
  'infra.delete-machine': { subject: 'infra.delete-machine', body: node },
  'infra.allocate-address': { subject: 'infra.allocate-address', body: node },
  'infra.release-address': { subject: 'infra.release-address', body: node },
  'infra.create-volume': { subject: 'infra.create-volume', body: { ...node, type: 'ssd', sizeGib: 10 } },
  'infra.check-volume': { subject: 'infra.check-volume', body: { ...node, sizeGib: 20 } },
  'infra.grow-volume': { subject: 'infra.grow-volume', body: { ...node, sizeGib: 20 } },
  'infra.change-volume': { subject: 'infra.change-volume', body: { ...node, type: 'fast', iops: 3000 } },
  'infra.delete-volume': { subject: 'infra.delete-volume', body: node },
  'infra.set-firewall': { subject: 'infra.set-firewall', body: { ...node, firewall } },
  'infra.boot-machine': { subject: 'infra.boot-machine', body: node },
  'infra.resize-machine': { subject: 'infra.resize-machine', body: { ...node, instance } },
  'infra.halt-machine': { subject: 'infra.halt-machine', body: node },
  'infra.publish-names': {
    subject: 'infra.publish-names',
    body: { datastoreId, names: [{ name: 'dst-1.ccx.test', addresses: ['127.0.10.1'], ttlSeconds: 15 }] },
  },
  'infra.withdraw-names': { subject: 'infra.withdraw-names', body: { datastoreId, names: ['dst-1.ccx.test'] } },
  'infra.sweep': { subject: 'infra.sweep', body: { provider, datastoreId, suffix: 'dst-1.ccx.test' } },
  'cmon.register-cluster': { subject: 'cmon.register-cluster', body: { cluster } },
  'cmon.forget-cluster': { subject: 'cmon.forget-cluster', body: { cluster } },
  'cmon.install-node': { subject: 'cmon.install-node', body: { cluster, nodeId: 'nod_1' } },
  'cmon.bootstrap-primary': { subject: 'cmon.bootstrap-primary', body: { cluster, nodeId: 'nod_1' } },
  'cmon.join-replica': { subject: 'cmon.join-replica', body: { cluster, nodeId: 'nod_2', primaryId: 'nod_1' } },
  'cmon.configure-node': { subject: 'cmon.configure-node', body: { cluster, nodeId: 'nod_2', primaryId: 'nod_1' } },
  'cmon.set-trusted': { subject: 'cmon.set-trusted', body: { cluster, nodeId: 'nod_2' } },
  'cmon.catch-up': { subject: 'cmon.catch-up', body: { cluster, nodeId: 'nod_2', formerId: 'nod_1' } },
  'cmon.promote-replica': { subject: 'cmon.promote-replica', body: { cluster, nodeId: 'nod_2' } },
  'cmon.follow-primary': { subject: 'cmon.follow-primary', body: { cluster, nodeId: 'nod_1', primaryId: 'nod_2' } },
  'cmon.restart-node': { subject: 'cmon.restart-node', body: { cluster, nodeId: 'nod_2', primaryId: 'nod_1' } },
  'cmon.resume-node': { subject: 'cmon.resume-node', body: { cluster, nodeId: 'nod_2', primaryId: 'nod_1' } },
  'cmon.apply-parameters': {
    subject: 'cmon.apply-parameters',
    body: { cluster: { ...cluster, parameters: { lock_timeout: '5' } }, nodeId: 'nod_2', primaryId: 'nod_1', restart: true },
  },
  'cmon.forget-node': { subject: 'cmon.forget-node', body: { cluster, nodeId: 'nod_2', primaryId: 'nod_1' } },
  'cmon.create-account': {
    subject: 'cmon.create-account',
    body: { cluster, nodeId: 'nod_1', username: 'ccxadmin', database: 'ccxdb' },
  },
  'cmon.set-admin': { subject: 'cmon.set-admin', body: { cluster, nodeId: 'nod_1', username: 'ccxadmin', vaultId: null } },
  'cmon.put-database': { subject: 'cmon.put-database', body: { cluster, nodeId: 'nod_1', database } },
  'cmon.unmake-database': { subject: 'cmon.unmake-database', body: { cluster, nodeId: 'nod_1', database } },
  'cmon.close-database': { subject: 'cmon.close-database', body: { cluster, nodeId: 'nod_1', name: sealed('shop') } },
  'cmon.open-database': { subject: 'cmon.open-database', body: { cluster, nodeId: 'nod_1', name: sealed('shop') } },
  'cmon.drop-database': { subject: 'cmon.drop-database', body: { cluster, nodeId: 'nod_1', name: sealed('shop') } },
  'cmon.put-user': { subject: 'cmon.put-user', body: { cluster, nodeId: 'nod_1', user } },
  'cmon.unmake-user': { subject: 'cmon.unmake-user', body: { cluster, nodeId: 'nod_1', user } },
  'cmon.drop-user': {
    subject: 'cmon.drop-user',
    body: { cluster, nodeId: 'nod_1', logins: [sealed('ada'), sealed('ada_b')], heir: 'ccxadmin' },
  },
  'cmon.check-cluster': { subject: 'cmon.check-cluster', body: { cluster, primaryId: 'nod_1' } },
  'cmon.stop-node': { subject: 'cmon.stop-node', body: { cluster, nodeId: 'nod_1' } },
  'cmon.start-node': { subject: 'cmon.start-node', body: { cluster, nodeId: 'nod_1' } },
  'cmon.erase-node': { subject: 'cmon.erase-node', body: { cluster, nodeId: 'nod_1' } },
  'cmon.revive-node': { subject: 'cmon.revive-node', body: { cluster, nodeId: 'nod_1' } },
  'cmon.end-writers': { subject: 'cmon.end-writers', body: { cluster, nodeId: 'nod_1' } },
  'cmon.fence-node': { subject: 'cmon.fence-node', body: { cluster, nodeId: 'nod_1', prefer: 'consistency' } },
  'cmon.unfence-node': { subject: 'cmon.unfence-node', body: { cluster, nodeId: 'nod_1' } },
  'cmon.elect-primary': {
    subject: 'cmon.elect-primary',
    body: {
      cluster: { ...cluster, epoch: 7, synchronous: true, repairAfterSeconds: 300 },
      lostId: 'nod_1', synchronous: true, prefer: 'availability', lagMaxBytes: 16_777_216, lastKnownBytes: 83_886_080,
    },
  },
  'cmon.rejoin-node': { subject: 'cmon.rejoin-node', body: { cluster, nodeId: 'nod_1', primaryId: 'nod_2' } },
}

/** An order under way, with a deadline that no test lives to see. */
export const placed = (orderId: string, differing: Partial<PlacedOrder> = {}): PlacedOrder => ({
  orderId,
  jobId: 'job_1',
  datastoreId,
  step: 'boot',
  key: orderId,
  attempt: 1,
  course: 'forward',
  order: everyOrder['infra.boot-machine'],
  notAfter: '2999-01-01T00:00:00.000Z',
  ...differing,
})

export const succeeded = (orderId: string): OrderOutcome => ({
  orderId,
  jobId: 'job_1',
  step: 'boot',
  key: orderId,
  attempt: 1,
  course: 'forward',
  at: '2026-01-01T12:00:00.000Z',
  kind: 'succeeded',
  result: { roles: { nod_1: 'primary' } },
})
