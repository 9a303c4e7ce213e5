import type { ClusterRef, Order, OrderResult, PlacedOrder } from '../../domain/job/orders.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import { normalisedSource } from '../../domain/datastore/source.ts'
import type { NodeContext, ReachedNode, Role } from '../engines/engine.ts'
import type { ControllerStore } from '../controller-store/controller-store.ts'
import { Failure, type Work } from '../messaging/worker.ts'
import { type AccessOrder, accessCommand, isAccessOrder } from './access-commands.ts'
import type { Credentials } from './credentials.ts'
import type { Nodes } from './nodes.ts'
import { revive } from './revive.ts'
import { untilWhole } from './whole.ts'

const FORGET_TIMEOUT_MS = 10_000

export type Parts = {
  readonly nodes: Nodes
  readonly credentials: Credentials
  readonly store: ControllerStore
  readonly personal: Pick<PersonalData, 'open'>
  readonly now: () => string
}

/** Carries an order out, idempotently, without looking into the journal. */
export const carryOut = async (parts: Parts, { order, notAfter }: PlacedOrder, work: Work): Promise<OrderResult> => {
  if (isAccessOrder(order)) {
    await accessCommand(parts, order, work)
    return {}
  }
  switch (order.subject) {
    case 'cmon.check-cluster':
      return { roles: await check(parts, { ...order.body, notAfter }, work) }
    case 'cmon.restart-node':
      await restart(parts, { ...order.body, notAfter }, work)
      return {}
    case 'cmon.resume-node':
      await resume(parts, { ...order.body, notAfter }, work)
      return {}
    case 'cmon.apply-parameters':
      await applyParameters(parts, { ...order.body, notAfter }, work)
      return {}
    case 'cmon.register-cluster':
    case 'cmon.forget-cluster':
      await ofCluster(parts, order)
      return {}
    default:
      await ofNode(parts, order, work)
      return {}
  }
}

type ClusterOrder = Extract<Order, { subject: 'cmon.register-cluster' | 'cmon.forget-cluster' }>

const ofCluster = async (parts: Parts, { subject, body: { cluster } }: ClusterOrder): Promise<void> => {
  const { store, credentials, now } = parts
  if (subject === 'cmon.register-cluster') {
    await Promise.all([
      store.registerCluster(cluster, now()),
      credentials.authority(cluster),
      credentials.engineSecrets(cluster),
    ])
  } else {
    await store.forgetCluster(cluster.datastoreId)
    await credentials.destroy(cluster.datastoreId)
  }
}

type NodeOf = { readonly cluster: ClusterRef; readonly nodeId: string }

/** A node with its certificate and the engine's passwords opened, for the verbs that need them. */
const open = async (parts: Parts, { cluster, nodeId }: NodeOf, work: Work): Promise<NodeContext> => {
  const { nodes, credentials } = parts
  const [reached, certificate, secrets, trusted] = await Promise.all([
    nodes.reach(cluster, nodeId, work),
    credentials.nodeCertificate(cluster, nodes.node(cluster, nodeId)),
    credentials.engineSecrets(cluster),
    trustedBy(parts, cluster),
  ])
  return { ...reached, certificate, secrets, trusted }
}

/** The ranges that clients may come from. One that cannot be opened any more lets nobody in. */
const trustedBy = async ({ personal }: Parts, { trusted }: ClusterRef): Promise<readonly string[] | undefined> =>
  trusted && (await personal.open(trusted)).flatMap((source) => normalisedSource(source) ?? [])

type WaitingOrder = {
  subject: 'cmon.check-cluster' | 'cmon.restart-node' | 'cmon.apply-parameters' | 'cmon.resume-node'
}
type NodeOrder = Exclude<Order, AccessOrder | ClusterOrder | WaitingOrder>

const ofNode = async (parts: Parts, order: NodeOrder, work: Work): Promise<void> => {
  const { nodes, store } = parts
  switch (order.subject) {
    case 'cmon.install-node': {
      const { cluster, nodeId } = order.body
      return nodes.engine(cluster).install(await open(parts, { cluster, nodeId }, work))
    }
    case 'cmon.bootstrap-primary': {
      const { cluster, nodeId } = order.body
      await nodes.engine(cluster).bootstrap(await open(parts, { cluster, nodeId }, work))
      return store.intend(nodeId, { shutDown: false })
    }
    case 'cmon.join-replica': {
      const { cluster, nodeId, primaryId } = order.body
      const node = await open(parts, { cluster, nodeId }, work)
      await nodes.engine(cluster).join(node, nodes.member(cluster, primaryId))
      return store.intend(nodeId, { shutDown: false })
    }
    case 'cmon.configure-node': {
      const { cluster, nodeId, primaryId } = order.body
      const node = await open(parts, { cluster, nodeId }, work)
      return nodes.engine(cluster).configure(node, nodes.member(cluster, primaryId))
    }
    case 'cmon.catch-up':
    case 'cmon.promote-replica':
    case 'cmon.follow-primary':
      return switchOver(parts, order, work)
    case 'cmon.end-writers': {
      const { cluster, nodeId } = order.body
      return nodes.engine(cluster).endWriters(await nodes.reach(cluster, nodeId, work))
    }
    case 'cmon.revive-node':
      return revive(parts, order.body, work)
    case 'cmon.set-trusted':
    case 'cmon.start-node':
    case 'cmon.stop-node':
    case 'cmon.erase-node':
      return ofFoundNode(parts, order, work)
    default:
      throw new Failure('This order is not for the controller.', { final: true })
  }
}

type SwitchOrder = Extract<
  Order,
  { subject: 'cmon.catch-up' | 'cmon.promote-replica' | 'cmon.follow-primary' }
>

/** The parts of a planned switchover. */
const switchOver = async (parts: Parts, { subject, body }: SwitchOrder, work: Work): Promise<void> => {
  const { nodes, store } = parts
  const { cluster, nodeId } = body
  const engine = nodes.engine(cluster)
  switch (subject) {
    case 'cmon.catch-up':
      return engine.catchUp(await nodes.reach(cluster, nodeId, work), await nodes.reach(cluster, body.formerId, work))
    case 'cmon.promote-replica':
      return engine.promote(await nodes.reach(cluster, nodeId, work))
    case 'cmon.follow-primary':
      await engine.follow(await open(parts, body, work), nodes.member(cluster, body.primaryId))
      return store.intend(nodeId, { shutDown: false })
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
  await engine.start(node)
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

type FoundOrder = Extract<Order, { subject: 'cmon.set-trusted' | 'cmon.start-node' | 'cmon.stop-node' | 'cmon.erase-node' }>

/** Orders whose machine may be gone already: then there is nothing left to do. */
const ofFoundNode = async (parts: Parts, { subject, body }: FoundOrder, work: Work): Promise<void> => {
  const { cluster, nodeId } = body
  const engine = parts.nodes.engine(cluster)
  const node = await parts.nodes.find(cluster, nodeId, work)
  if (node === undefined) return work.note('the machine is gone already')
  if (subject === 'cmon.set-trusted') return engine.setTrusted({ ...node, trusted: await trustedBy(parts, cluster) })
  if (subject === 'cmon.start-node') {
    await engine.start(node)
    return parts.store.intend(nodeId, { shutDown: false })
  }
  // Before it is so: the silence of a host that is silent on purpose is no cause for an alarm.
  await parts.store.intend(nodeId, { shutDown: true })
  if (subject === 'cmon.stop-node') return engine.stop(node)
  await engine.erase(node.host)
  await forgetEverywhere(parts, { cluster, nodeId }, work)
}

/**
 * Whoever of the others is a primary need keep nothing for the erased node. Those that do not answer are gone or
 * going.
 */
const forgetEverywhere = async (
  { nodes }: Parts,
  { cluster, nodeId }: NodeOf,
  work: Work,
): Promise<void> => {
  const engine = nodes.engine(cluster)
  const signal = AbortSignal.any([work.signal, AbortSignal.timeout(FORGET_TIMEOUT_MS)])
  const others = cluster.nodes.filter((each) => each.nodeId !== nodeId)
  await Promise.all(
    others.map(async (other) => {
      try {
        const reached = await nodes.find(cluster, other.nodeId, { ...work, signal })
        if (reached === undefined || (await engine.probe(reached)).role !== 'primary') return
        await engine.forget(reached, nodes.member(cluster, nodeId))
      } catch {
        work.signal.throwIfAborted()
        work.note(`${other.name} did not answer when it was to forget the erased node`)
      }
    }),
  )
}

type CheckBody = { readonly cluster: ClusterRef; readonly primaryId: string }

/**
 * Waits until the cluster is whole: the primary takes writes and all others stream from it.
 *
 * @returns every node's role
 * @throws Failure, shortly before the order's time is up, that says what is missing
 */
const check = async (
  { nodes, now }: Parts,
  { cluster, primaryId, notAfter }: CheckBody & { readonly notAfter: string },
  work: Work,
): Promise<Readonly<Record<string, Role>>> => {
  const engine = nodes.engine(cluster)
  const reached = await Promise.all(cluster.nodes.map(({ nodeId }) => nodes.reach(cluster, nodeId, work)))
  await untilWhole({ engine, reached, primaryId, notAfter, now, readOnly: cluster.readOnly === true }, work)
  return Object.fromEntries(
    cluster.nodes.map(({ nodeId }): [string, Role] => [nodeId, nodeId === primaryId ? 'primary' : 'replica']),
  )
}
