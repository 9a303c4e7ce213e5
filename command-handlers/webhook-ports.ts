import type { Rejection } from '../domain/kernel/decider.ts'

/** What the owner of a webhook may ask of its sender. */
export type Deliveries = {
  /** Sends an event of its own to try the endpoint out; one at a time. Returns the id of the one that is on its way. */
  readonly ping: (webhookId: string, eventId: string) => Promise<string>
  /**
   * Puts the webhook back to a place in the feed, from where everything is sent again.
   * `ahead`: it has not come so far, and nothing is passed over.
   */
  readonly replayFrom: (webhookId: string, cursor: string) => Promise<'asked' | 'ahead' | 'malformed'>
  /** Whether there is such a dead letter. It is tried once more, out of the line of events. */
  readonly replayDeadLetter: (webhookId: string, eventId: string) => Promise<boolean>
  /** Everything about the sending of a webhook that is deleted. */
  readonly forget: (webhookId: string) => Promise<void>
  /** How many webhooks the organisation has, as far as the read models know. */
  readonly countOf: (organisationId: string) => Promise<number>
}

/** The vault of the signing secrets; `subjectId` is the webhook, `name` the secret's id. */
export type SigningSecrets = {
  /** The secret, made if there is none. */
  readonly ensure: (ref: SecretRef) => Promise<string>
  readonly open: (ref: SecretRef) => Promise<string | undefined>
  readonly destroySubject: (subjectId: string) => Promise<void>
}

export type SecretRef = { readonly ownerId: string; readonly subjectId: string; readonly name: string }

/** Whether webhooks may be sent to an address; a refusal if not. */
export type CheckTarget = (url: string) => Promise<Rejection | undefined>

export type WebhookEdgeRejection = 'cursor-ahead' | 'dead-letter-not-found' | 'malformed-cursor' | 'webhook-limit-reached'
