import type { FencedBy } from '../domain/job/orders.ts'
import type { Instant } from '../domain/kernel/time.ts'
import type { Health } from './health.ts'

/** Something that kept a node, or all writes, from a datastore's clients. Facts that are not known are null. */
export type OutageEntry = {
  /** That of the event it began with (`sortablePosition`). */
  readonly position: string
  readonly kind: 'failover' | 'failover-held-back' | 'server-restart' | 'node-lost'
  readonly outcome: 'going-on' | 'over' | 'replaced' | 'superseded' | 'came-to-nothing'
  /** The node that was lost, or whose server was. */
  readonly node_id: string
  /** The node that takes its place. */
  readonly to_node_id: string | null
  readonly last_seen_at: Instant | null
  readonly detected_at: Instant | null
  readonly ended_at: Instant | null
  /** Null: they never were. */
  readonly writes_out_since: Instant | null
  readonly writes_back_at: Instant | null
  readonly because: string | null
  readonly fenced_by: FencedBy | null
  readonly lost_bytes_max: number | null
  readonly job_id: string | null
}

/** All that ever befell one datastore, also one that is deleted. */
export type OutagesRow = {
  readonly datastore_id: string
  readonly owner_id: string
  readonly health: Health
  /** How every node is called that there ever was, or was to be. */
  readonly hostnames: Readonly<Record<string, string>>
  /** Oldest first. */
  readonly outages: readonly OutageEntry[]
}
