import type { ClusterRef, Order, OrderResult } from '../../domain/job/orders.ts'
import type { ReachedNode, Role } from '../engines/engine.ts'
import type { Work } from '../messaging/worker.ts'
import { withLease } from './first-lease.ts'
import { withoutLost } from './lost.ts'
import { type NodeOf, open } from './open.ts'
import type { Parts } from './parts.ts'
import { untilWhole } from './whole.ts'

export type WaitingOrder = Extract<
  Order,
  { subject: 'cmon.check-cluster' | 'cmon.restart-node' | 'cmon.resume-node' | 'cmon.apply-parameters' }
>

const WAITING = ['cmon.check-cluster', 'cmon.restart-node', 'cmon.resume-node', 'cmon.apply-parameters']

/** Orders that end when servers do their part, and say so before their time is up when those do not. */
export const isWaitingOrder = (order: Order): order is WaitingOrder => WAITING.includes(order.subject)

export const waitingCommand = async (
  parts: Parts,
  { subject, body }: WaitingOrder,
  notAfter: string,
  work: Work,
): Promise<OrderResult> => {
  switch (subject) {
    case 'cmon.check-cluster':
      return { roles: await check(parts, { ...body, notAfter }, work) }
    case 'cmon.restart-node':
      await restart(parts, { ...body, notAfter }, work)
      return {}
    case 'cmon.resume-node':
      await resume(parts, { ...body, notAfter }, work)
      return {}
    case 'cmon.apply-parameters':
      await applyParameters(parts, { ...body, notAfter }, work)
      return {}
  }
}

/** Stops and starts a node, and waits until it takes writes, or streams from the primary, again. */
const restart = async (
  { nodes, store, now }: Parts,
  { cluster, nodeId, primaryId, notAfter }: NodeOf & { readonly primaryId: string; readonly notAfter: string },
  work: Work,
): Promise<void> => {
  const engine = nodes.engine(cluster)
  const node = await nodes.reach(cluster, nodeId, work)
  const { name } = node.member
  if (nodeId === primaryId) work.note(`${name} is the primary: the datastore takes no writes until it is back`)
  await store.intend(nodeId, { shutDown: true })
  await engine.stop(node)
  work.note(`${name} is stopped`)
  await engine.start(await withLease({ store }, { cluster, nodeId }, node))
  await store.intend(nodeId, { shutDown: false })
  await untilOneIsWhole({ nodes, now }, { cluster, primaryId, notAfter, node }, work)
  work.note(`${name} does its part again`)
}

/** Sets a node up for the machine it has, starts it, and waits until it does its part again. */
const resume = async (
  parts: Parts,
  { cluster, nodeId, primaryId, notAfter }: NodeOf & { readonly primaryId: string; readonly notAfter: string },
  work: Work,
): Promise<void> => {
  const { nodes, store } = parts
  const node = await open(parts, { cluster, nodeId }, work)
  await nodes.engine(cluster).configure(node, nodes.member(cluster, primaryId))
  await store.intend(nodeId, { shutDown: false })
  await untilOneIsWhole(parts, { cluster, primaryId, notAfter, node }, work)
  work.note(`${node.member.name} does its part again`)
}

/** Has a node take over the cluster's parameters, and waits until it takes writes, or streams from the primary, again. */
const applyParameters = async (
  parts: Parts,
  { cluster, nodeId, primaryId, notAfter, restart: mayRestart }: Applying,
  work: Work,
): Promise<void> => {
  const { nodes, store } = parts
  const node = await open(parts, { cluster, nodeId }, work)
  // The silence of a host that is started anew is no cause for an alarm.
  if (mayRestart) await store.intend(nodeId, { shutDown: true })
  await nodes.engine(cluster).applyParameters(node, nodes.member(cluster, primaryId), { restart: mayRestart })
  if (mayRestart) await store.intend(nodeId, { shutDown: false })
  await untilOneIsWhole(parts, { cluster, primaryId, notAfter, node }, work)
}
type Applying = NodeOf & { readonly primaryId: string; readonly notAfter: string; readonly restart: boolean }

type OneOf = {
  readonly cluster: ClusterRef
  readonly primaryId: string
  readonly notAfter: string
  readonly node: ReachedNode
}

/** Waits until a node does its part; the other replicas may do what they like. */
const untilOneIsWhole = async (
  { nodes, now }: Pick<Parts, 'nodes' | 'now'>,
  { cluster, primaryId, notAfter, node }: OneOf,
  work: Work,
): Promise<void> => {
  const isPrimary = node.member.nodeId === primaryId
  const reached = isPrimary ? [node] : [await nodes.reach(cluster, primaryId, work), node]
  const readOnly = cluster.readOnly === true
  await untilWhole({ engine: nodes.engine(cluster), reached, primaryId, notAfter, now, readOnly }, work)
}

type CheckBody = { readonly cluster: ClusterRef; readonly primaryId: string }

/**
 * Waits until the cluster is whole: the primary takes writes and all others stream from it, but those that are lost.
 *
 * @returns the role of every node that was waited for
 * @throws Failure, shortly before the order's time is up, that says what is missing
 */
const check = async (
  parts: Parts,
  { cluster: whole, primaryId, notAfter }: CheckBody & { readonly notAfter: string },
  work: Work,
): Promise<Readonly<Record<string, Role>>> => {
  const { nodes, now } = parts
  const { cluster, lost } = await withoutLost(parts, whole, primaryId)
  for (const name of lost) work.note(`${name} is lost, and is not waited for`)
  const engine = nodes.engine(cluster)
  const reached = await Promise.all(cluster.nodes.map(({ nodeId }) => nodes.reach(cluster, nodeId, work)))
  await untilWhole({ engine, reached, primaryId, notAfter, now, readOnly: cluster.readOnly === true }, work)
  return Object.fromEntries(
    cluster.nodes.map(({ nodeId }): [string, Role] => [nodeId, nodeId === primaryId ? 'primary' : 'replica']),
  )
}
