import type { ClusterRef, Order } from '../../domain/job/orders.ts'
import type { Standing } from '../controller-store/controller-store.ts'
import { Failure } from '../messaging/worker.ts'
import { isAccessOrder } from './access-commands.ts'

/** What becomes of an order that may come late: it is carried out, about what there is by now, or left, and why. */
export type Guarded = { readonly order: Order } | { readonly left: string }

/** A newer decision about the primary goes before the one that orders. */
export const replaced = (): Failure =>
  new Failure('The primary has been changed by a newer decision.', { final: true })

/**
 * Keeps an order of a job that was decided before the last change of the primary from doing harm: it is carried out against
 * the primary that there is, and does nothing about a node that is fenced, or that has become the primary meanwhile. What
 * takes a node away, or is part of a failover itself, is not changed.
 *
 * @param standing who may take writes; undefined: the cluster is not known
 * @throws Failure, for good, for a step of a switchover whose primary is another by now
 */
export const guarded = (standing: Standing | undefined, order: Order): Guarded => {
  if (standing === undefined || !('cluster' in order.body)) return { order }
  const { cluster } = order.body
  const fenced = (nodeId: string): boolean => standing.fenced[nodeId] !== undefined
  const nameOf = (nodeId: string): string => cluster.nodes.find((node) => node.nodeId === nodeId)?.name ?? 'the node'
  const isFenced = (nodeId: string): Guarded => ({ left: `nothing is done on ${nameOf(nodeId)}, which is fenced` })
  // A primary that the order does not know cannot be reached by it.
  const primaryId = cluster.nodes.find(({ nodeId }) => nodeId === standing.primaryId)?.nodeId
  const isPrimary = (nodeId: string): Guarded => ({ left: `nothing is done on ${nameOf(nodeId)}, which is the primary by now` })
  const isOlder = (cluster.epoch ?? 0) < standing.epoch

  if (isAccessOrder(order) || order.subject === 'cmon.end-writers') return { order: toPrimary(order, primaryId) }
  switch (order.subject) {
    case 'cmon.check-cluster':
      return { order: { ...order, body: { cluster: without(cluster, fenced), primaryId: primaryId ?? order.body.primaryId } } }
    case 'cmon.join-replica':
    case 'cmon.follow-primary':
    case 'cmon.rejoin-node':
    case 'cmon.forget-node': {
      const { nodeId } = order.body
      if (nodeId === primaryId) return isPrimary(nodeId)
      const isAbove = order.subject === 'cmon.rejoin-node' || order.subject === 'cmon.forget-node'
      return fenced(nodeId) && !isAbove ? isFenced(nodeId) : { order: against(order, primaryId) }
    }
    case 'cmon.configure-node':
    case 'cmon.restart-node':
    case 'cmon.resume-node':
    case 'cmon.apply-parameters':
      return fenced(order.body.nodeId) ? isFenced(order.body.nodeId) : { order: against(order, primaryId) }
    case 'cmon.set-trusted':
    case 'cmon.start-node':
    case 'cmon.revive-node':
      return fenced(order.body.nodeId) ? isFenced(order.body.nodeId) : { order }
    case 'cmon.catch-up': {
      const { nodeId, formerId } = order.body
      const isAnother = primaryId !== undefined && primaryId !== formerId && primaryId !== nodeId
      if (isOlder || isAnother || fenced(nodeId) || fenced(formerId)) throw replaced()
      return { order }
    }
    case 'cmon.promote-replica':
      // Refused, it would be repeated for ever: its job is past the point where it could be undone.
      return isOlder
        ? { left: `${nameOf(order.body.nodeId)} is not promoted, for a newer decision goes before` }
        : { order }
    case 'cmon.stop-node':
    case 'cmon.erase-node':
      // Its job was decided when the node was a replica, or not yet there.
      return isOlder && order.body.nodeId === primaryId ? isPrimary(order.body.nodeId) : { order }
    default:
      return { order }
  }
}

const without = (cluster: ClusterRef, isLeftOut: (nodeId: string) => boolean): ClusterRef => ({
  ...cluster,
  nodes: cluster.nodes.filter(({ nodeId }) => !isLeftOut(nodeId)),
})

/** The same order on the node that takes writes. */
const toPrimary = <One extends { readonly body: { readonly nodeId: string } }>(order: One, primaryId: string | undefined): One =>
  primaryId === undefined ? order : { ...order, body: { ...order.body, nodeId: primaryId } }

/** The same order with the primary that there is. */
const against = <One extends { readonly body: { readonly primaryId: string } }>(order: One, primaryId: string | undefined): One =>
  primaryId === undefined ? order : { ...order, body: { ...order.body, primaryId } }
