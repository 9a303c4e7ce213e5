import type { Sealed } from '../domain/kernel/sealed.ts'

/** How far an endpoint has come. */
export type Standing = { readonly cursor: string; readonly attempts: number; readonly next_attempt_at: Date | null }

/** One request to an endpoint. */
export type Attempt = {
  readonly attempt_id: string
  readonly kind: 'event' | 'ping' | 'dead-letter'
  readonly event_id: string
  readonly type: string
  readonly attempt: number
  readonly at: Date
  readonly outcome: 'delivered' | 'failed' | 'dead'
  readonly latency_ms: number
  readonly response_code: number | null
  readonly response_head: Sealed | null
  readonly because: string | null
  readonly next_attempt_at: Date | null
}

/** An event that was given up. */
export type DeadLetter = {
  readonly event_id: string
  readonly type: string
  readonly attempts: number
  readonly because: string
  readonly died_at: Date
  /** Of the event, in the feed. */
  readonly cursor: string
}

/** What the sender has written down. */
export type DeliveryLog = {
  /** By webhook; none for one that the sender has not met yet. */
  readonly standing: (webhookIds: readonly string[]) => Promise<ReadonlyMap<string, Standing>>
  /** Newest first, those before `before`. */
  readonly attempts: (
    webhookId: string,
    page: { readonly before: string | undefined; readonly limit: number },
  ) => Promise<readonly Attempt[]>
  /** In the order of the events, those after the cursor. */
  readonly deadLetters: (
    webhookId: string,
    page: { readonly after: string; readonly limit: number },
  ) => Promise<readonly DeadLetter[]>
}
