import type { Order, OrderResult, PlacedOrder } from '../../domain/job/orders.ts'
import { HostUnreachable } from '../host.ts'
import { Failure, type Work } from '../messaging/worker.ts'
import { type AccessOrder, accessCommand, isAccessOrder } from './access-commands.ts'
import { alone } from './alone.ts'
import { elect } from './elect.ts'
import { endLease } from './end-lease.ts'
import { fence } from './fence.ts'
import { withLease } from './first-lease.ts'
import { guarded, replaced } from './guard.ts'
import { letGo } from './let-go.ts'
import { type NodeOf, open, trustedBy } from './open.ts'
import type { Parts } from './parts.ts'
import { rejoin } from './rejoin.ts'
import { revive } from './revive.ts'
import { attempted, unfence } from './unfence.ts'
import { isWaitingOrder, waitingCommand, type WaitingOrder } from './waiting.ts'

const FORGET_TIMEOUT_MS = 10_000

/** Carries an order out, idempotently, without looking into the journal. One that comes late does no harm. */
export const carryOut = async (parts: Parts, placed: PlacedOrder, work: Work): Promise<OrderResult> =>
  alone(parts, placed, work, async (inTime) => {
    const after = guarded(await parts.store.standing(placed.datastoreId), placed.order)
    if ('order' in after) return dispatched(parts, { ...placed, order: after.order }, inTime)
    inTime.note(after.left)
    return {}
  })

const dispatched = async (parts: Parts, { order, notAfter }: PlacedOrder, work: Work): Promise<OrderResult> => {
  if (isWaitingOrder(order)) return waitingCommand(parts, order, notAfter, work)
  if (isAccessOrder(order)) {
    await accessCommand(parts, order, work)
    return {}
  }
  switch (order.subject) {
    case 'cmon.fence-node':
      return { fencedBy: await fence(parts, { ...order.body, notAfter }, work) }
    case 'cmon.elect-primary':
      return elect(parts, order.body, work)
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

type Apart = { subject: 'cmon.fence-node' | 'cmon.elect-primary' }
type NodeOrder = Exclude<Order, AccessOrder | ClusterOrder | WaitingOrder | Apart>

const ofNode = async (parts: Parts, order: NodeOrder, work: Work): Promise<void> => {
  const { nodes, store } = parts
  switch (order.subject) {
    case 'cmon.install-node': {
      const { cluster, nodeId } = order.body
      return nodes.engine(cluster).install(await open(parts, { cluster, nodeId }, work))
    }
    case 'cmon.bootstrap-primary': {
      const { cluster, nodeId } = order.body
      await claim(parts, order.body)
      await nodes.engine(cluster).bootstrap(await open(parts, { cluster, nodeId }, work))
      return store.intend(nodeId, { shutDown: false })
    }
    case 'cmon.join-replica': {
      const { cluster, nodeId, primaryId } = order.body
      const node = await open(parts, { cluster, nodeId }, work)
      await store.joins(nodeId)
      await nodes.engine(cluster).join(node, nodes.member(cluster, primaryId))
      return store.intend(nodeId, { shutDown: false })
    }
    case 'cmon.configure-node': {
      const { cluster, nodeId, primaryId, ifItAnswers } = order.body
      const configure = async (signal: AbortSignal): Promise<void> => {
        const node = await open(parts, { cluster, nodeId }, { ...work, signal })
        await nodes.engine(cluster).configure(node, nodes.member(cluster, primaryId))
      }
      if (ifItAnswers !== true) return configure(work.signal)
      return attempted(work, `${nodes.node(cluster, nodeId).name} does not answer; it is rejoined when it is back`, configure)
    }
    case 'cmon.forget-node': {
      const { cluster, nodeId, primaryId } = order.body
      return nodes.engine(cluster).forget(await nodes.reach(cluster, primaryId, work), nodes.member(cluster, nodeId))
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
    case 'cmon.unfence-node':
      return unfence(parts, order.body, work)
    case 'cmon.rejoin-node':
      return rejoin(parts, order.body, work)
    case 'cmon.set-trusted':
    case 'cmon.start-node':
    case 'cmon.stop-node':
    case 'cmon.erase-node':
      return ofFoundNode(parts, order, work)
    default:
      throw new Failure('This order is not for the controller.', { final: true })
  }
}

type Promoted = NodeOf & { readonly positionBytes?: number }

/** Before a node takes writes it is on record that nobody else may. */
const claim = async ({ store }: Parts, { cluster, nodeId, positionBytes }: Promoted): Promise<void> => {
  await store.joins(nodeId)
  if (!(await store.claimPromotion(cluster.datastoreId, cluster.epoch ?? 0, nodeId, positionBytes))) throw replaced()
  // The one that it had before is taken off its machine: nobody may count on that it runs out.
  await store.leased(nodeId, null)
}

/** A node with less than this one has when it begins may lack what was acknowledged before: that is kept, too. */
const promote = async (parts: Parts, body: Promoted, work: Work): Promise<void> => {
  const { nodes, store } = parts
  const { cluster, nodeId } = body
  await claim(parts, body)
  try {
    const { heldBytes } = await nodes.engine(cluster).promote(await nodes.reach(cluster, nodeId, work))
    if (heldBytes !== null) await store.promoted(cluster.datastoreId, cluster.epoch ?? 0, nodeId, heldBytes)
  } catch (cause) {
    work.signal.throwIfAborted()
    // It may have gone off since it was elected. Nobody else may be promoted now: so it has to come up.
    await nodes.provider(cluster, nodeId).boot(nodeId)
    throw cause
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
      return promote(parts, body, work)
    case 'cmon.follow-primary':
      await engine.follow(await open(parts, body, work), nodes.member(cluster, body.primaryId))
      await endLease(parts, body, await nodes.reach(cluster, nodeId, work))
      return store.intend(nodeId, { shutDown: false })
  }
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
    // From here on it is meant to be up: should it not come, whoever watches is to know that it is lost.
    await parts.store.intend(nodeId, { shutDown: false })
    await parts.nodes.provider(cluster, nodeId).boot(nodeId)
    return engine.start(await withLease(parts, body, node))
  }
  // Before it is so: the silence of a host that is silent on purpose is no cause for an alarm.
  await parts.store.intend(nodeId, { shutDown: true })
  if (subject === 'cmon.erase-node') await letGo(parts, body, work)
  try {
    await (subject === 'cmon.stop-node' ? engine.stop(node) : engine.erase(node.host))
  } catch (cause) {
    if (!(cause instanceof HostUnreachable)) throw cause
    const provider = parts.nodes.provider(cluster, nodeId)
    // What still runs there must end. Of a primary that is stopped for another, not without having said how far it came.
    if (subject === 'cmon.erase-node') await provider.fence(nodeId)
    else if ((await provider.find(nodeId))?.power === 'on') throw cause
    work.note(subject === 'cmon.stop-node' ? 'the machine is off' : 'the machine is off, and its data goes with its volume')
  }
  if (subject === 'cmon.erase-node') await forgetEverywhere(parts, { cluster, nodeId }, work)
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
