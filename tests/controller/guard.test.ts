import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ClusterRef, Order } from '../../domain/job/orders.ts'
import type { Standing } from '../../infra/controller-store/controller-store.ts'
import { guarded } from '../../infra/controller/guard.ts'
import { PlacedOrderMessage } from '../../infra/messaging/messages.ts'
import { Failure } from '../../infra/messaging/worker.ts'
import { everyOrder, placed } from '../support/orders.ts'

const test = suite('an order that comes late')

const node = (nodeId: string) => {
  const instance = { code: 'tiny', cpu: 1, ramGb: 1 }
  return { nodeId, name: `db-${nodeId}`, hostname: `${nodeId}.test`, provider: 'p', address: '10.0.0.1', port: 5432, instance }
}
/** Decided in epoch 4, when `a` was the primary. */
const cluster: ClusterRef = {
  datastoreId: 'dat_1', ownerId: 'own_1', engine: 'e', version: '15', nodes: ['a', 'b', 'c'].map(node), epoch: 4,
}
/** In epoch 5 `a` was fenced and `b` promoted. */
const failedOver: Standing = { epoch: 5, primaryId: 'b', fenced: { a: 5 } }
const unchanged: Standing = { epoch: 3, primaryId: 'a', fenced: {} }

const every = Object.values(everyOrder)
const isOf = (order: Order, ...subjects: readonly Order['subject'][]): boolean => subjects.includes(order.subject)
const ABOUT_FOLLOWERS = ['cmon.join-replica', 'cmon.follow-primary', 'cmon.forget-node', 'cmon.rejoin-node'] as const
/** As it was decided: about `a`, its primary, or about another. */
const about = (order: Order, nodeId: string): Order => {
  const { body } = order
  const changed = {
    ...body,
    ...('cluster' in body ? { cluster } : {}),
    ...('nodeId' in body ? { nodeId } : {}),
    ...('primaryId' in body ? { primaryId: 'a' } : {}),
  }
  return PlacedOrderMessage.parse({ ...placed('ord_1'), order: { ...order, body: changed } }).order
}
const after = (order: Order, standing: Standing | undefined): unknown => {
  const outcome = guarded(standing, order)
  return 'left' in outcome ? outcome.left : outcome.order
}

test('is carried out as it is while nothing was decided since, whatever it is', () => {
  for (const order of every) {
    for (const standing of [undefined, unchanged, { epoch: 0, primaryId: null, fenced: {} }]) {
      // A follower of the primary is another than the primary.
      const late = about(order, isOf(order, ...ABOUT_FOLLOWERS) ? 'c' : 'a')
      if (!isOf(order, 'cmon.catch-up')) assert.equal(after(late, standing), late, order.subject)
    }
  }
})

test('is carried out against the primary there is', () => {
  for (const order of every.filter(({ body }) => 'primaryId' in body)) {
    const outcome = guarded(failedOver, about(order, 'c'))
    const primaryId = 'order' in outcome && 'primaryId' in outcome.order.body ? outcome.order.body.primaryId : undefined
    assert.is(primaryId, 'b', order.subject)
  }
})

test('about databases and users is carried out on the primary there is', () => {
  const subjects = [
    'cmon.put-user', 'cmon.create-account', 'cmon.drop-database', 'cmon.set-admin', 'cmon.end-writers',
  ] as const
  for (const subject of subjects) {
    const order = about(everyOrder[subject], 'a')
    assert.equal(after(order, failedOver), about(everyOrder[subject], 'b'))
  }
})

test('does nothing on a node that is fenced, and says so', () => {
  const subjects = [
    'cmon.start-node', 'cmon.restart-node', 'cmon.resume-node', 'cmon.configure-node', 'cmon.apply-parameters',
    'cmon.follow-primary', 'cmon.join-replica', 'cmon.set-trusted', 'cmon.revive-node',
  ] as const
  for (const subject of subjects) {
    assert.is(after(about(everyOrder[subject], 'a'), failedOver), 'nothing is done on db-a, which is fenced')
  }
})

test('that takes a fenced node away, or brings it back, does its work', () => {
  const subjects = [
    'cmon.stop-node', 'cmon.erase-node', 'cmon.unfence-node', 'cmon.fence-node', 'cmon.install-node',
  ] as const
  for (const subject of subjects) {
    const order = about(everyOrder[subject], 'a')
    assert.equal(after(order, failedOver), order)
  }
  assert.equal(after(about(everyOrder['cmon.rejoin-node'], 'a'), failedOver), {
    subject: 'cmon.rejoin-node', body: { cluster, nodeId: 'a', primaryId: 'b' },
  })
  assert.equal(after(about(everyOrder['cmon.forget-node'], 'a'), failedOver), {
    subject: 'cmon.forget-node', body: { cluster, nodeId: 'a', primaryId: 'b' },
  })
})

test('makes no replica of what has become the primary, and takes it away neither', () => {
  const subjects = [
    'cmon.follow-primary', 'cmon.join-replica', 'cmon.rejoin-node', 'cmon.forget-node', 'cmon.stop-node', 'cmon.erase-node',
  ] as const
  for (const subject of subjects) {
    assert.is(after(about(everyOrder[subject], 'b'), failedOver), 'nothing is done on db-b, which is the primary by now')
  }
})

test('that was decided since stops and erases the primary, as a deletion does', () => {
  for (const subject of ['cmon.stop-node', 'cmon.erase-node'] as const) {
    const order: Order = { subject, body: { cluster: { ...cluster, epoch: 5 }, nodeId: 'b' } }
    assert.equal(after(order, failedOver), order)
  }
})

test('checks the datastore without the nodes that are fenced', () => {
  assert.equal(after({ subject: 'cmon.check-cluster', body: { cluster, primaryId: 'a' } }, failedOver), {
    subject: 'cmon.check-cluster',
    body: { cluster: { ...cluster, nodes: ['b', 'c'].map(node) }, primaryId: 'b' },
  })
})

test('of a switchover whose primary is another by now fails for good', () => {
  for (const [nodeId, formerId] of [['c', 'a'], ['a', 'b'], ['b', 'a']] as const) {
    const order: Order = { subject: 'cmon.catch-up', body: { cluster, nodeId, formerId } }
    assert.throws(() => guarded(failedOver, order), (error: unknown) => error instanceof Failure && error.final)
  }
  const timely: Order = { subject: 'cmon.catch-up', body: { cluster, nodeId: 'c', formerId: 'a' } }
  assert.equal(after(timely, unchanged), timely)
})

test('is left with the primary it knows when it does not know the one there is', () => {
  const order: Order = { subject: 'cmon.configure-node', body: { cluster, nodeId: 'c', primaryId: 'a' } }
  assert.equal(after(order, { epoch: 9, primaryId: 'z', fenced: {} }), order)
})

test.run()
