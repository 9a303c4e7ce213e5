import { v5 } from 'uuid'
import type { OrderOutcome, Place } from '../../domain/job/orders.ts'
import type { Observation } from './observation.ts'

// Fixed for ever: every process must derive the same ids.
const NAMESPACE = '5b0c5a3e-6f7d-4c1b-9a52-0a4e6d3f1c88'

// JSON, because joining with a separator would let two different lists give the same text.
const derived = (...parts: readonly (string | number)[]): string => v5(JSON.stringify(parts), NAMESPACE)

/** The id of what was seen of a datastore, or of one of its nodes, at an instant. Seen again later, it has another one. */
export const observationIdOf = (observation: Observation): string => {
  const { kind, datastoreId, at } = observation
  if (kind === 'disk-usage') return derived('observation', kind, datastoreId, at)
  if (kind !== 'primary-unreachable') return derived('observation', kind, datastoreId, at, observation.nodeId)
  return derived('observation', kind, datastoreId, at, observation.primaryId, observation.epoch)
}

/** The id of the order a job gives at `place`: the same however often it is given. */
export const orderIdOf = (jobId: string, { course, step, key, attempt }: Place): string =>
  derived('order', jobId, course, step, key, attempt)

/**
 * The id of what came of an order. A repeat has the same id and is dropped wherever it arrives.
 *
 * @param line for `noted`: which line of the order it is, from 0; or what says how far it has come
 */
export const outcomeIdOf = (orderId: string, kind: OrderOutcome['kind'], line: number | string = 0): string =>
  kind === 'noted' ? derived('outcome', orderId, kind, line) : derived('outcome', orderId, kind)
