import type { Kysely } from 'kysely'
import { ERASED, type PersonalData } from '../../domain/kernel/sealed.ts'
import type { PauseReason } from '../../domain/webhook/messages.ts'
import { cloudEventOf } from '../../projections/public-events/cloud-event.ts'
import type { ReadSchema } from '../../projections/schema.ts'
import { type FeedEntry, feedPage } from '../../read-api/feed-page.ts'
import type { Secrets } from '../secrets/secrets.ts'
import * as deliveries from './delivery-store.ts'
import type { Line, Task, Webhook } from './delivery-store.ts'
import type { AttemptRow, DeliveryDb, Outcome } from './migrations.ts'
import { pingOf } from './ping.ts'
import { type Posted, post } from './post.ts'
import { type Schedule, pauseAfter, retryAfterMs } from './schedule.ts'
import { signatures } from './signature.ts'
import type { Targets } from './targets.ts'

export type Delivering = {
  readonly db: DeliveryDb
  /** The read models. */
  readonly read: Kysely<ReadSchema>
  readonly personal: PersonalData
  readonly secrets: Pick<Secrets, 'open'>
  readonly targets: Targets
  /** Pauses a webhook by an event; safe to be done again for the same `course`. */
  readonly pause: (webhook: Webhook, because: Exclude<PauseReason, 'asked'>) => Promise<void>
  readonly schedule: Schedule
  /** For one request, in milliseconds. */
  readonly timeoutMs: number
  /** After so many dead letters without a delivery between them the webhook is paused. */
  readonly deadInARowMax: number
  /** What clients call the installation. */
  readonly publicUrl: string
  readonly now: () => string
  /** From 0 to 1. */
  readonly chance: () => number
  readonly signal: AbortSignal
  readonly observe: (outcome: Outcome, seconds: number) => void
}

const GONE = 410
const PAGE_MAX = 50
/** After so many events an endpoint lets others have its turn. */
const TURN_MAX = 200
/** When to look again for a key or secret that is not there. */
const UNABLE_MS = 3_600_000

type Message = { readonly kind: AttemptRow['kind']; readonly id: string; readonly type: string; readonly body: string }

/** What an attempt was, and how it came out. */
type Tried = { readonly posted: Posted; readonly at: Date; readonly latencyMs: number }

/**
 * Sends what is due at one endpoint, one request at a time: first what was asked for out of turn, then its events in the
 * order of the feed, until one fails, none is left, or its turn is over.
 *
 * @returns whether its turn was over before its work
 */
export const deliver = async (own: Delivering, webhookId: string): Promise<boolean> => {
  let ahead = NOTHING
  for (let count = 0; count < TURN_MAX; count++) {
    if (own.signal.aborted) return false
    const line = await deliveries.lineOf(own.db, webhookId)
    if (line === undefined) return false
    const { webhook, endpoint, task } = line
    if (task !== undefined) {
      await runTask(own, webhook, task)
      continue
    }
    if (webhook.paused_because !== null) return false
    if (endpoint.course !== webhook.course) {
      const fresh = { attempts: 0, next_attempt_at: null, dead_in_a_row: 0, verdict: null }
      await deliveries.moveOn(own.db, endpoint, { ...fresh, course: webhook.course })
      ahead = NOTHING
      continue
    }
    if (endpoint.verdict !== null) {
      await own.pause(webhook, endpoint.verdict)
      return false
    }
    if (endpoint.next_attempt_at !== null && endpoint.next_attempt_at.toISOString() > own.now()) return false
    // What was read ahead is of no use once somebody has asked for a replay.
    if (ahead.from !== endpoint.place || ahead.entries.length === 0) ahead = await readAhead(own, line)
    const [entry, ...entries] = ahead.entries
    if (entry === undefined) return false
    if (!(await runNext(own, { ...line, endpoint: { ...endpoint, place: ahead.from } }, entry))) return false
    ahead = { from: entry.position, entries }
  }
  return true
}

/** The next events that a webhook wants, and the place that they come after. */
type Ahead = { readonly from: string; readonly entries: readonly FeedEntry[] }

const NOTHING: Ahead = { from: '', entries: [] }

/** What lies before the first event that the webhook wants is passed over for good. */
const readAhead = async ({ db, read }: Delivering, { webhook, endpoint }: Line): Promise<Ahead> => {
  const { organisation_id: organisationId, types, subjects } = webhook
  const wanted = {
    organisationId,
    types: types.length === 0 ? undefined : types,
    subjects: subjects.length === 0 ? undefined : subjects,
  }
  for (let from = endpoint.place; ; ) {
    const { entries, place, more } = await feedPage(read, { ...wanted, after: from, limit: PAGE_MAX })
    if (entries.length > 0) return { from, entries }
    if (place > from) {
      if (!(await deliveries.moveOn(db, { ...endpoint, place: from }, { place }))) return NOTHING
      from = place
    }
    if (!more) return NOTHING
  }
}

/** @returns whether the line goes on */
const runNext = async (own: Delivering, { webhook, endpoint }: Line, entry: FeedEntry): Promise<boolean> => {
  const body = JSON.stringify(cloudEventOf(entry, own.publicUrl))
  const message: Message = { kind: 'event', id: entry.id, type: entry.type, body }
  const tried = await send(own, webhook, message)
  if (tried === undefined) {
    const later = new Date(Date.parse(own.now()) + UNABLE_MS)
    if (!own.signal.aborted) await deliveries.moveOn(own.db, endpoint, { next_attempt_at: later })
    return false
  }
  const attempt = endpoint.attempts + 1
  const pauseMs = retryIn(own, tried, attempt)
  const isDelivered = isSuccess(tried.posted)
  const isGone = 'status' in tried.posted && tried.posted.status === GONE
  const isDead = !isDelivered && !isGone && pauseMs === undefined
  const outcome: Outcome = isDelivered ? 'delivered' : isDead ? 'dead' : 'failed'
  const nextAt = outcome !== 'failed' || isGone ? null : new Date(Date.parse(own.now()) + (pauseMs ?? 0))
  const row = await rowOf(own, webhook, message, { tried, attempt, outcome, nextAt })
  const deadInARow = isDelivered ? 0 : endpoint.dead_in_a_row + (isDead ? 1 : 0)
  const verdict = isGone ? 'gone' : deadInARow >= own.deadInARowMax ? 'failing' : null
  const step = {
    ...(outcome === 'failed' ? { attempts: attempt } : { place: entry.position, attempts: 0 }),
    next_attempt_at: nextAt,
    dead_in_a_row: deadInARow,
    verdict,
  } as const
  const moved = await deliveries.moveOn(own.db, endpoint, step, (transaction) =>
    deliveries.note(transaction, row, entry.position),
  )
  own.observe(outcome, tried.latencyMs / 1_000)
  // Where the line was moved by another, it is looked at again.
  return outcome !== 'failed' || isGone || !moved
}

const runTask = async (own: Delivering, webhook: Webhook, task: Task): Promise<void> => {
  const message = await messageOf(own, webhook, task)
  const tried = message && (await send(own, webhook, message))
  if (own.signal.aborted && tried === undefined) return
  if (message === undefined || tried === undefined) return deliveries.endTask(own.db, webhook.webhook_id, task)
  const outcome = isSuccess(tried.posted) ? 'delivered' : 'failed'
  const row = await rowOf(own, webhook, message, { tried, attempt: 1, outcome, nextAt: null })
  await deliveries.endTask(own.db, webhook.webhook_id, task, row)
  own.observe(outcome, tried.latencyMs / 1_000)
}

const messageOf = async (
  { db, publicUrl }: Delivering,
  webhook: Webhook,
  { kind, event_id: id, asked_at: askedAt }: Task,
): Promise<Message | undefined> => {
  if (kind === 'ping') {
    const ping = pingOf(webhook, { id, at: askedAt.toISOString(), publicUrl })
    return { kind, id, type: ping.type, body: JSON.stringify(ping) }
  }
  const event = await deliveries.eventAt(db, webhook.webhook_id, id)
  return event && { kind, id, type: event.type, body: JSON.stringify(cloudEventOf(event, publicUrl)) }
}

/** One request. Undefined when there is nothing to send with: the owner is erased, or we are to end. */
const send = async (own: Delivering, webhook: Webhook, { id, body }: Message): Promise<Tried | undefined> => {
  const { personal, targets, timeoutMs, signal, now } = own
  const [[url = ERASED], secrets] = await Promise.all([personal.open([webhook.url]), secretsOf(own, webhook)])
  if (url === ERASED || secrets.length === 0) return undefined
  const at = new Date(now())
  const began = performance.now()
  const target = await targets.find(url)
  const timestampSeconds = Math.floor(at.getTime() / 1_000)
  const headers = {
    'content-type': 'application/cloudevents+json',
    'user-agent': 'ccx-webhooks',
    'webhook-id': id,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': signatures(secrets, { id, timestampSeconds, body }),
  }
  const posted = 'rejected' in target
    ? { fault: target.because }
    : await post({ target, headers, body, timeoutMs, signal })
  // What was cut off by our own end says nothing of the endpoint; it is sent again under the same id.
  if (signal.aborted && 'fault' in posted) return undefined
  return { posted, at, latencyMs: Math.round(performance.now() - began) }
}

const secretsOf = async ({ secrets, now }: Delivering, webhook: Webhook): Promise<readonly string[]> => {
  const { organisation_id: ownerId, webhook_id: subjectId, previous_secret_id: previous, previous_secret_until: until } = webhook
  const isHeld = previous !== null && until !== null && until.toISOString() > now()
  const names = [webhook.secret_id, ...(isHeld ? [previous] : [])]
  const opened = await Promise.all(names.map((name) => secrets.open({ ownerId, subjectId, name })))
  return opened.filter((secret) => secret !== undefined)
}

const isSuccess = (posted: Posted): boolean => 'status' in posted && posted.status >= 200 && posted.status < 300

const retryIn = ({ schedule, chance, now }: Delivering, { posted }: Tried, attempt: number): number | undefined => {
  const askedMs = 'status' in posted ? retryAfterMs(posted.retryAfter, Date.parse(now())) : undefined
  return pauseAfter(schedule, { attempt, askedMs, chance: chance() })
}

const rowOf = async (
  { personal }: Delivering,
  { webhook_id, organisation_id }: Webhook,
  { kind, id, type }: Message,
  { tried: { posted, at, latencyMs }, attempt, outcome, nextAt }: {
    readonly tried: Tried
    readonly attempt: number
    readonly outcome: Outcome
    readonly nextAt: Date | null
  },
): Promise<deliveries.Attempt> => {
  const answered = 'status' in posted ? posted : undefined
  // Postgres takes no NUL, and a stranger's answer may hold any.
  const taken = answered?.taken.replaceAll('\0', '\u{FFFD}') ?? ''
  return {
    webhook_id,
    kind,
    event_id: id,
    type,
    attempt,
    at,
    outcome,
    latency_ms: latencyMs,
    response_code: answered?.status ?? null,
    response_head: taken === '' ? null : await personal.seal(organisation_id, taken),
    because: isSuccess(posted) ? null : 'fault' in posted ? posted.fault : `the endpoint answered ${posted.status}`,
    next_attempt_at: nextAt,
  }
}
