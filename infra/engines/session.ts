import type { Lease } from '../../domain/failover/lease.ts'
import type { Health } from './engine.ts'

export type { Lease }

/**
 * What there is of a server: it answers; it is there and takes no connection (it recovers, or has too many); it waits until the
 * node is given a lease; there is none.
 */
export type ServerState = 'answers' | 'refuses' | 'waits-for-lease' | 'ended'

/** What a session sees at one look. */
export type Look = Health & {
  readonly server: ServerState
  /** Whether the node was fenced, by a controller or by itself, and neither rejoined nor unfenced since. */
  readonly fenced: boolean
  /** Whether what ends the server when its lease runs out is at work; else `keepLease` makes it so. */
  readonly guarded: boolean
  readonly positionBytes: number | null
  readonly timeline: number | null
  readonly lagSeconds: number | null
  /** How long the machine has been up, by its own clock. */
  readonly uptimeMs: number
  /** How long ago each replica that streams has replied, by the server's clock and the replica's name. */
  readonly replyAgesMs: Readonly<Record<string, number>>
}

/** A lease that a verb which begins a primary gives it, since a server that does not answer yet is not renewed one. */
export type FirstLease = Omit<Lease, 'ttlMs'> & {
  /** Null: as long as the machine's last one, where it keeps one; else none is needed. */
  readonly ttlMs: number | null
  /**
   * Asked after the machine has told its uptime, from which the lease counts: whether the node still is the primary and is not
   * fenced. When not, nothing is given and the verb fails.
   */
  readonly mayBeGiven: () => Promise<boolean>
}

/** A way of looking at one node, often and at little cost. One question at a time. */
export type Session = {
  /**
   * @param timeoutMs how long an answer may take; afterwards the session is begun anew
   * @throws when the machine does not answer, or a server that is there does not; a machine whose server cannot be connected to
   *   is `down`
   */
  readonly look: (timeoutMs: number) => Promise<Look>
  /**
   * Renews the lease, for its length from the uptime of the last look; that a node may have it is to be found out after that
   * look. A server that answered is asked to do it itself, so that one which has frozen since does not.
   *
   * @throws when it could not be done, within two seconds
   */
  readonly renewLease: (lease: Lease) => Promise<void>
  readonly close: () => Promise<void>
}
