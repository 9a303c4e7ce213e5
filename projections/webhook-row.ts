import type { Sealed } from '../domain/kernel/sealed.ts'
import type { Instant } from '../domain/kernel/time.ts'
import type { PauseReason } from '../domain/webhook/messages.ts'

/** Where an organisation wants to be told what happens to it. */
export type WebhookRow = {
  readonly webhook_id: string
  readonly organisation_id: string
  readonly url: Sealed
  readonly description: Sealed | null
  /** Types of events that are sent; none: all. */
  readonly types: readonly string[]
  readonly subjects: readonly string[]
  /** Null while events are sent. */
  readonly paused_because: PauseReason | null
  readonly paused_at: Instant | null
  /** Names the signing secret in the vault, and the one before it, which signs as well until then. */
  readonly secret_id: string
  readonly previous_secret_id: string | null
  readonly previous_secret_until: Instant | null
  /** Where in the feed it began: what came before is not sent (`feedPositionAfter`). */
  readonly feed_from: string
  /** The position of the last event that gives sending a fresh start: attempts are counted from there. */
  readonly course: string
  /** The position of the last event that is in this row. */
  readonly as_of: string
  readonly created_at: Instant
  readonly updated_at: Instant
}
