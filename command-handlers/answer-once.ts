import { createHash } from 'node:crypto'
import { canonicalJson } from '../domain/kernel/canonical-json.ts'
import type { Event } from '../domain/kernel/decider.ts'
import { Refused, type Reply, type Request } from '../domain/kernel/endpoint.ts'
import {
  type Cause,
  type EventStore,
  type Recorded,
  RevisionConflict,
  parsePosition,
  positionText,
} from '../domain/kernel/event-store.ts'
import type { JsonValue } from '../domain/kernel/json.ts'
import type { PersonalData, Sealed } from '../domain/kernel/sealed.ts'
import { derivedId, freshId } from './ids.ts'

/** The reply to a request that named an idempotency key; its stream holds this one event. */
type RequestAnswered = Event<
  'RequestAnswered',
  {
    readonly fingerprint: string
    readonly status: number
    /** The body as JSON: it repeats the tenant's own words. */
    readonly answer: Sealed
    /** Of what the request led to, for the reader who waits for it. */
    readonly position: string | null
  }
>

/** A request as far as its repeats must agree in it. `path` is the one that was called, with its ids. */
export type Call = { readonly method: string; readonly path: string; readonly body: JsonValue }

export type IdempotencyRejection = 'malformed-idempotency-key' | 'idempotency-key-reused'

const KEY = /^[\x21-\x7e]{1,255}$/

/** Tells one request from another, whatever the order of its members. */
export const fingerprintOf = (value: JsonValue): string =>
  createHash('sha256').update(canonicalJson(value)).digest('base64url')

/**
 * Carries out a request once for each idempotency key, and gives every repeat the first one's reply. Without a key a
 * request is carried out each time. A crash between the deed and the record of its reply is harmless: the ids derive
 * from the key, so the deed is recognised and only the record is made good. Refusals are not recorded: a request that
 * changed nothing may be tried again.
 *
 * @param run does it, under the command id given, and is safe to be done again under the same one
 * @throws Refused `malformed-idempotency-key`, or `idempotency-key-reused` for another request under a taken key
 */
export const answerOnce =
  ({
    store,
    personal,
    cause,
  }: {
    readonly store: Pick<EventStore, 'read' | 'append'>
    readonly personal: PersonalData
    readonly cause: (request: Request<unknown, unknown, unknown>, commandId: string) => Promise<Cause>
  }) =>
  async (
    request: Request<unknown, unknown, unknown>,
    { method, path, body }: Call,
    run: (commandId: string) => Promise<Reply>,
  ): Promise<Reply> => {
    const key = request.idempotencyKey
    if (key === undefined) return run(freshId())
    if (!KEY.test(key)) {
      throw new Refused({
        rejected: 'malformed-idempotency-key' satisfies IdempotencyRejection,
        because: 'Idempotency-Key must be 1 to 255 visible ASCII characters',
      })
    }
    const commandId = derivedId('request', request.principal.ownerId, method, path, key)
    const stream = `request-${commandId}`
    const fingerprint = fingerprintOf(body)
    const before = await recall({ store, personal }, stream, fingerprint)
    if (before !== undefined) return before

    const reply = await run(commandId)
    const answered: RequestAnswered = {
      type: 'RequestAnswered',
      data: {
        fingerprint,
        status: reply.status,
        answer: await personal.seal(request.principal.ownerId, JSON.stringify(reply.body ?? null)),
        position: reply.position === undefined ? null : positionText(reply.position),
      },
    }
    const event = { ...answered, id: derivedId('answer', commandId), metadata: await cause(request, commandId) }
    try {
      await store.append(stream, [event], { expected: 'absent' })
      return reply
    } catch (error) {
      if (!(error instanceof RevisionConflict)) throw error
      // The same request, sent twice at once: both get the reply of the one that was recorded.
      return (await recall({ store, personal }, stream, fingerprint)) ?? reply
    }
  }

const isAnswer = (event: Recorded | undefined): event is Recorded<RequestAnswered> =>
  event?.type === 'RequestAnswered'

const recall = async (
  { store, personal }: { readonly store: Pick<EventStore, 'read'>; readonly personal: Pick<PersonalData, 'open'> },
  stream: string,
  fingerprint: string,
): Promise<Reply | undefined> => {
  const { events } = await store.read(stream, { limit: 1 })
  const [answer] = events
  if (!isAnswer(answer)) return undefined
  if (answer.data.fingerprint !== fingerprint) {
    throw new Refused({
      rejected: 'idempotency-key-reused' satisfies IdempotencyRejection,
      because: 'this idempotency key was used for another request',
    })
  }
  const { status, position } = answer.data
  const [text = 'null'] = await personal.open([answer.data.answer])
  const body: JsonValue = JSON.parse(text)
  const seen = position === null ? undefined : parsePosition(position)
  return {
    status,
    body,
    headers: { 'Idempotent-Replayed': 'true' },
    ...(seen === undefined ? {} : { position: seen }),
  }
}
