import { reject } from '../../kernel/decider.ts'
import type { Instant } from '../../kernel/time.ts'
import { highAvailabilityOf } from '../high-availability.ts'
import type { OfNode } from './node-actions.ts'
import { type Rule, hasNode, unknownNode } from './rule.ts'

export type FailOver = {
  /** The primary that is lost. */
  readonly lostId: string
  readonly lastSeenAt: Instant
  readonly observedAt: Instant
  /** In words a tenant understands. */
  readonly because: string
  /** How much the lost primary had written when it was last seen; null where nobody knows. */
  readonly lastKnownBytes: number | null
}

/** Another node takes the place of a primary that is lost. Which one is found out by the job, so no shape tells it. */
export const failOver: Rule<FailOver, 'node-not-found' | 'node-is-primary'> = {
  changed: (shape) => shape,
  refusal: (shape, { lostId }) =>
    hasNode(shape, lostId)
      ? reject('node-is-primary', `node ${lostId} loses its role when it is lost, and not because it is asked for`)
      : unknownNode(lostId),
}

/** A node that was lost does its part again, whatever its machine holds: as a replica, or as the primary that it is. */
export const rejoinNode: Rule<OfNode, 'node-not-found'> = {
  changed: (shape) => shape,
  refusal: (shape, { nodeId }) => (hasNode(shape, nodeId) ? undefined : unknownNode(nodeId)),
}

export type SetSynchronous = { readonly synchronous: boolean }

/** Whether a transaction is acknowledged only once a replica has it as well. */
export const setSynchronous: Rule<SetSynchronous, 'replica-needed'> = {
  changed: ({ spec, nodes }, { synchronous }) => ({
    spec: { ...spec, highAvailability: { ...highAvailabilityOf(spec), synchronous } },
    nodes,
  }),
  // A commit that waits for a replica waits for ever where there is none.
  refusal: ({ spec }, { synchronous }) =>
    synchronous && spec.nodes.length < 2
      ? reject('replica-needed', 'high_availability.synchronous needs a replica; add a node first')
      : undefined,
  isSo: ({ spec }, { synchronous }) => highAvailabilityOf(spec).synchronous === synchronous,
}
