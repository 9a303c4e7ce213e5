import type { Health } from './engine.ts'

/** What a session sees at one look. */
export type Look = Health & {
  readonly positionBytes: number | null
  readonly timeline: number | null
  readonly lagSeconds: number | null
  /** How long the machine has been up, by its own clock. */
  readonly uptimeMs: number
  /** How long ago each replica that streams has replied, by the server's clock and the replica's name. */
  readonly replyAgesMs: Readonly<Record<string, number>>
}

/** The right of a primary to take writes, until it has not been renewed for `ttlMs`. */
export type Lease = {
  readonly epoch: number
  readonly ttlMs: number
  /** The names of the replicas which, when all of them still reply, keep the primary going without a renewal. */
  readonly replicas: readonly string[]
}

/** A way of looking at one node, often and at little cost. One question at a time. */
export type Session = {
  /**
   * @param timeoutMs how long an answer may take; afterwards the session is begun anew
   * @throws when the machine does not answer; a machine without a server that answers is `down`
   */
  readonly look: (timeoutMs: number) => Promise<Look>
  /** Renews the lease, for its length from the moment of the last look at which the server answered. */
  readonly renewLease: (lease: Lease) => Promise<void>
  readonly close: () => Promise<void>
}
