import type { Command, Event } from '../kernel/decider.ts'
import type { Sealed } from '../kernel/sealed.ts'
import type { Instant } from '../kernel/time.ts'

/** Which events are sent. An empty list lets everything through. */
export type WebhookFilters = {
  /** Types of public events, whole (`dev.ccx.job.finished.v1`) or the beginning of them and a star (`dev.ccx.job.*`). */
  readonly types: readonly string[]
  /** Subjects, whole. */
  readonly subjects: readonly string[]
}

/** Why nothing is sent: the owner asked for it, events could not be delivered, or the endpoint said that it is gone. */
export type PauseReason = 'asked' | 'failing' | 'gone'

type About<Data extends object = object> = Data & { readonly webhookId: string; readonly at: Instant }

/** Where it goes and what for are the owner's own words, and the address may hold a token: both are sealed. */
export type WebhookCreated = Event<
  'WebhookCreated',
  About<{
    readonly organisationId: string
    readonly url: Sealed
    readonly description: Sealed | null
    readonly filters: WebhookFilters
    /** Names the signing secret in the vault. */
    readonly secretId: string
  }>
>
/** Holds what was changed, and nothing else. */
export type WebhookChanged = Event<
  'WebhookChanged',
  About<{ readonly url?: Sealed; readonly description?: Sealed | null; readonly filters?: WebhookFilters }>
>
export type WebhookPaused = Event<'WebhookPaused', About<{ readonly because: PauseReason }>>
export type WebhookResumed = Event<'WebhookResumed', About>
/** From now on the new secret signs; until `previousUntil` the previous one signs as well. */
export type WebhookSecretRotated = Event<
  'WebhookSecretRotated',
  About<{ readonly secretId: string; readonly previousSecretId: string; readonly previousUntil: Instant }>
>
/** Events after the cursor are sent again, in their order. */
export type WebhookReplayAsked = Event<'WebhookReplayAsked', About<{ readonly cursor: string }>>
/** One event that was given up is tried once more. */
export type DeadLetterReplayAsked = Event<'DeadLetterReplayAsked', About<{ readonly eventId: string }>>
export type WebhookDeleted = Event<'WebhookDeleted', About>

export type WebhookEvent =
  | WebhookCreated
  | WebhookChanged
  | WebhookPaused
  | WebhookResumed
  | WebhookSecretRotated
  | WebhookReplayAsked
  | DeadLetterReplayAsked
  | WebhookDeleted

type Asking<Data extends object = object> = Data & { readonly webhookId: string; readonly now: Instant }

export type CreateWebhook = Command<
  'CreateWebhook',
  Asking<{
    readonly organisationId: string
    readonly url: Sealed
    readonly description: Sealed | null
    readonly filters: WebhookFilters
    readonly secretId: string
  }>
>
/** What is absent stays as it is. */
export type ChangeWebhook = Command<
  'ChangeWebhook',
  Asking<{ readonly url?: Sealed; readonly description?: Sealed | null } & Partial<WebhookFilters>>
>
export type PauseWebhook = Command<'PauseWebhook', Asking<{ readonly because: PauseReason }>>
export type ResumeWebhook = Command<'ResumeWebhook', Asking>
export type RotateWebhookSecret = Command<'RotateWebhookSecret', Asking<{ readonly secretId: string }>>
export type ReplayWebhook = Command<'ReplayWebhook', Asking<{ readonly cursor: string }>>
export type ReplayDeadLetter = Command<'ReplayDeadLetter', Asking<{ readonly eventId: string }>>
export type DeleteWebhook = Command<'DeleteWebhook', Asking>

export type WebhookCommand =
  | CreateWebhook
  | ChangeWebhook
  | PauseWebhook
  | ResumeWebhook
  | RotateWebhookSecret
  | ReplayWebhook
  | ReplayDeadLetter
  | DeleteWebhook

export type WebhookRejection = 'malformed-filter' | 'webhook-not-found'
