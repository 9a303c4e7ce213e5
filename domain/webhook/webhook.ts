import { type Decider, type Decision, reject } from '../kernel/decider.ts'
import { type Instant, later } from '../kernel/time.ts'
import type { PauseReason, WebhookCommand, WebhookEvent, WebhookFilters, WebhookRejection } from './messages.ts'

/** How long a secret that was replaced goes on to sign beside its successor, for the receiver to change over. */
export const OVERLAP_MS = 24 * 3_600_000
const PATTERNS_MAX = 20
const PATTERN_LENGTH_MAX = 255

/** A type, or the beginning of one and a star. */
const TYPE = /^[a-z0-9][a-z0-9.-]*\*?$/i
const SUBJECT = /^[\x21-\x7e]+$/

type Live = {
  readonly status: 'live'
  readonly organisationId: string
  readonly filters: WebhookFilters
  /** Null while events are sent. */
  readonly paused: PauseReason | null
  readonly secretId: string
}

export type Webhook =
  | { readonly status: 'absent' }
  | Live
  /** Kept for its owner, whose repeated deletion is no mistake. */
  | { readonly status: 'deleted'; readonly organisationId: string }

/** A standing order to tell an endpoint of an organisation what happens to it. */
export const webhook: Decider<WebhookCommand, WebhookEvent, Webhook, WebhookRejection> = {
  initial: { status: 'absent' },

  decide(command, state) {
    if (command.type === 'CreateWebhook') {
      const { now: at, ...data } = command.data
      if (state.status !== 'absent') return []
      return malformed(data.filters) ?? [{ type: 'WebhookCreated', data: { ...data, at } }]
    }
    if (state.status === 'absent') return absent(command)
    if (state.status === 'deleted') return command.type === 'DeleteWebhook' ? [] : absent(command)
    return changed(command, state)
  },

  evolve(state, { type, data }) {
    if (type === 'WebhookCreated') {
      const { organisationId, filters, secretId } = data
      return { status: 'live', organisationId, filters, paused: null, secretId }
    }
    if (state.status !== 'live') throw new Error(`BUG: ${type} on a webhook that is ${state.status}`)
    switch (type) {
      case 'WebhookChanged':
        return { ...state, filters: data.filters ?? state.filters }
      case 'WebhookPaused':
        return { ...state, paused: data.because }
      case 'WebhookResumed':
        return { ...state, paused: null }
      case 'WebhookSecretRotated':
        return { ...state, secretId: data.secretId }
      case 'WebhookReplayAsked':
      case 'DeadLetterReplayAsked':
        return state
      case 'WebhookDeleted':
        return { status: 'deleted', organisationId: state.organisationId }
    }
  },
}

type Change = Exclude<WebhookCommand, { readonly type: 'CreateWebhook' }>
type Decided = Decision<WebhookEvent, WebhookRejection>

const changed = ({ type, data }: Change, state: Live): Decided => {
  const about = { webhookId: data.webhookId, at: data.now }
  switch (type) {
    case 'ChangeWebhook':
      return changedWords(data, state, about)
    case 'PauseWebhook':
      return state.paused === null ? [{ type: 'WebhookPaused', data: { ...about, because: data.because } }] : []
    case 'ResumeWebhook':
      return state.paused === null ? [] : [{ type: 'WebhookResumed', data: about }]
    case 'RotateWebhookSecret': {
      const { secretId } = data
      if (secretId === state.secretId) return []
      const previous = { previousSecretId: state.secretId, previousUntil: later(data.now, OVERLAP_MS) }
      return [{ type: 'WebhookSecretRotated', data: { ...about, secretId, ...previous } }]
    }
    case 'ReplayWebhook':
      return [{ type: 'WebhookReplayAsked', data: { ...about, cursor: data.cursor } }]
    case 'ReplayDeadLetter':
      return [{ type: 'DeadLetterReplayAsked', data: { ...about, eventId: data.eventId } }]
    case 'DeleteWebhook':
      return [{ type: 'WebhookDeleted', data: about }]
  }
}

const changedWords = (
  { url, description, types, subjects }: Extract<Change, { readonly type: 'ChangeWebhook' }>['data'],
  state: Live,
  about: { readonly webhookId: string; readonly at: Instant },
): Decided => {
  const filters = { types: types ?? state.filters.types, subjects: subjects ?? state.filters.subjects }
  const others = same(filters, state.filters) ? undefined : filters
  // Sealing the same words twice gives different texts, so what is sealed counts as changed.
  const change = {
    ...(url === undefined ? {} : { url }),
    ...(description === undefined ? {} : { description }),
    ...(others === undefined ? {} : { filters: others }),
  }
  if (Object.keys(change).length === 0) return []
  return (others && malformed(others)) ?? [{ type: 'WebhookChanged', data: { ...about, ...change } }]
}

const absent = ({ data }: WebhookCommand) => reject('webhook-not-found', `there is no webhook ${data.webhookId}`)

const same = (one: WebhookFilters, other: WebhookFilters): boolean =>
  JSON.stringify([one.types, one.subjects]) === JSON.stringify([other.types, other.subjects])

const malformed = ({ types, subjects }: WebhookFilters) => {
  if (types.length > PATTERNS_MAX || subjects.length > PATTERNS_MAX) {
    return reject('malformed-filter', `a webhook has at most ${PATTERNS_MAX} types and ${PATTERNS_MAX} subjects`)
  }
  const wrong =
    types.find((type) => type.length > PATTERN_LENGTH_MAX || !TYPE.test(type)) ??
    subjects.find((subject) => subject.length > PATTERN_LENGTH_MAX || !SUBJECT.test(subject))
  return wrong === undefined
    ? undefined
    : reject('malformed-filter', `${wrong.slice(0, 80)} is neither a type, the beginning of one and a star, nor a subject`)
}
