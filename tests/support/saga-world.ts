import type { Order, OrderBodies, OrderResult, Place } from '../../domain/job/orders.ts'
import { type Things, estate } from './estate.ts'

/** The world as far as a saga touches it: carrying an order out a second time changes nothing. */
export type World = {
  readonly things: () => Things
  /** The step and key of every forward order that was ever carried out. */
  readonly carriedOut: ReadonlySet<string>
  readonly carryOut: (order: Order, place: Place) => void
}

/** @param before what is there before the job */
export const sagaWorld = (before: Things): World => {
  const { things, carryOut } = estate(before)
  const carriedOut = new Set<string>()
  return {
    things,
    carriedOut,
    carryOut: (order, { step, key, course }) => {
      if (course === 'forward') carriedOut.add(`${step} ${key}`)
      carryOut(order)
    },
  }
}

/** What a worker would answer: addresses and roles that follow from the node's number. */
export const resultOf = ({ subject, body }: Order, { key }: Place): OrderResult => {
  const number = /\d+$/.exec(key)?.[0] ?? '0'
  if (subject === 'infra.create-machine') return { privateAddress: `10.0.0.${number}`, machineId: `machine-${number}` }
  if (subject === 'infra.allocate-address') return { publicAddress: `203.0.113.${number}` }
  if (subject === 'cmon.fence-node') return { fencedBy: 'server-stopped' }
  if (subject === 'cmon.elect-primary') return electedBy(body)
  if (subject !== 'cmon.check-cluster') return {}
  const roleOf = (nodeId: string) => (nodeId === body.primaryId ? 'primary' : 'replica')
  return { roles: Object.fromEntries(body.cluster.nodes.map(({ nodeId }) => [nodeId, roleOf(nodeId)])) }
}

/** The first of those that are not lost; all of them answer, and hold the same. */
export const electedBy = ({ cluster, lostId }: OrderBodies['cmon.elect-primary']): OrderResult => {
  const others = cluster.nodes.map(({ nodeId }) => nodeId).filter((nodeId) => nodeId !== lostId)
  const [elected] = others
  return { ...(elected === undefined ? {} : { elected }), positions: Object.fromEntries(others.map((nodeId) => [nodeId, 1_000])) }
}
