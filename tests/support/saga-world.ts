import type { Order, OrderResult, Place } from '../../domain/job/orders.ts'
import type { Facts, Saga } from '../../domain/job/saga.ts'

/** What an order is about: the same for the order that makes something and for the one that takes it away. */
const target = ({ body }: Order): string => {
  if ('nodeId' in body) return body.nodeId
  if ('networkId' in body) return body.networkId
  if ('names' in body) return body.names.map((entry) => (typeof entry === 'string' ? entry : entry.name)).toSorted().join()
  if ('cluster' in body) return body.cluster.datastoreId
  return body.datastoreId
}

const identity = (order: Order): string => `${order.subject} ${target(order)}`

/** The world as far as a saga touches it: carrying an order out a second time changes nothing. */
export type World = {
  /** What is there, and nobody has taken away. */
  readonly things: () => readonly string[]
  /** The step and key of every forward order that was ever carried out. */
  readonly carriedOut: ReadonlySet<string>
  readonly carryOut: (order: Order, place: Place, facts: Facts) => void
}

/**
 * A world that knows of a saga only its steps: what `does` orders makes a thing, which is gone once what `undo` ordered for it
 * at that time is carried out. A step without an undo makes nothing of its own.
 */
export const sagaWorld = (saga: Saga): World => {
  const takers = new Map<string, string>()
  const carriedOut = new Set<string>()
  return {
    things: () => [...takers.keys()].toSorted(),
    carriedOut,
    carryOut: (order, { step: name, key, course }, facts) => {
      if (course === 'back') {
        for (const [thing, taker] of takers) if (taker === identity(order)) takers.delete(thing)
        return
      }
      carriedOut.add(`${name} ${key}`)
      const undo = saga.steps.find((step) => step.name === name)?.undo?.(facts, key)
      if (undo !== undefined) takers.set(identity(order), identity(undo))
    },
  }
}

/** What a worker would answer: addresses and roles that follow from the node's number. */
export const resultOf = ({ subject, body }: Order, { key }: Place): OrderResult => {
  const number = /\d+$/.exec(key)?.[0] ?? '0'
  if (subject === 'infra.create-machine') return { privateAddress: `10.0.0.${number}`, machineId: `machine-${number}` }
  if (subject === 'infra.allocate-address') return { publicAddress: `203.0.113.${number}` }
  if (subject !== 'cmon.check-cluster') return {}
  const roleOf = (nodeId: string) => (nodeId === body.primaryId ? 'primary' : 'replica')
  return { roles: Object.fromEntries(body.cluster.nodes.map(({ nodeId }) => [nodeId, roleOf(nodeId)])) }
}
