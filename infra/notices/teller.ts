import type { Pool, PoolClient } from 'pg'
import { derivedId } from '../../command-handlers/ids.ts'
import { datastore } from '../../domain/datastore/datastore.ts'
import type { DatastoreEvent } from '../../domain/datastore/messages.ts'
import type { JobEvent } from '../../domain/job/messages.ts'
import {
  type EventStore, isAfter, parsePosition, type Position, positionText, type Recorded,
} from '../../domain/kernel/event-store.ts'
import type { Outbox } from '../../domain/kernel/mail.ts'
import { type Circumstances, type Notice, noticeOf, textOf } from '../../domain/notice/notice.ts'
import { aloneAtWork, inSessions } from '../read-store/sessions.ts'
import { isDatastoreEvent, isJobEvent } from '../runners/job-events.ts'
import type { NoticesDb } from './migrations.ts'
import { type Directory, recipientsOf } from './recipients.ts'

type Line = (fields: object, message: string) => void

export type Teller = Directory & {
  readonly store: Pick<EventStore, 'read' | 'head' | 'subscribe'>
  readonly db: NoticesDb
  readonly pool: Pick<Pool, 'connect'>
  readonly outbox: Outbox
  /** What clients call the installation. */
  readonly publicUrl: string
  readonly signal: AbortSignal
  readonly log: { readonly info: Line; readonly warn: Line }
}

const PREFIXES = ['datastore-', 'job-']
const LOCK_ASK_EVERY_MS = 500

/** A datastore as it was with an event of it, or of a job of it. */
const datastoreAt = async ({ store }: Teller, datastoreId: string, { position }: Recorded) => {
  const { events } = await store.read(`datastore-${datastoreId}`)
  const told = events.filter(isDatastoreEvent).filter((event) => !isAfter(event.position, position))
  const state = told.reduce(datastore.evolve, datastore.initial)
  const givenUp = told.flatMap(({ type, data }) => (type === 'JobAbandonmentAsked' ? [data.jobId] : []))
  return state.status === 'absent' ? undefined : { ...state, givenUp }
}

type Found = NonNullable<Awaited<ReturnType<typeof datastoreAt>>>

const put = async (teller: Teller, event: Recorded, notice: Notice, { datastoreId, spec }: Found): Promise<void> => {
  const { personal, outbox, publicUrl: url } = teller
  const { ownerId } = spec
  const to = await recipientsOf(teller, spec)
  if (to.length === 0) return
  const [name = ''] = await personal.open([spec.name])
  const text = textOf(notice, { name, datastoreId, at: event.recordedAt, url })
  for (const address of to) {
    const mailId = derivedId('notice', notice.mark ?? event.id, address.toLowerCase())
    await outbox.put({ mailId, ownerId, to: address, subject: `${name} ${notice.subject}`, text })
  }
}

/** What is to be known of an event; by itself it may be all there is. */
const circumstances = ({ data, metadata }: Recorded<DatastoreEvent | JobEvent>, found?: Found): Circumstances => {
  const waiting = (found?.queue ?? []).filter((job) => !('jobId' in data && job.jobId === data.jobId))
  return {
    isGoing: found?.status === 'deleting',
    correlationId: metadata.correlationId,
    isByItself: metadata.actor.kind === 'system',
    isSuperseded: 'jobId' in data && found?.givenUp.includes(data.jobId) === true,
    isLast: !('change' in data && data.change !== undefined && waiting.some(({ kind }) => kind === data.change?.kind)),
  }
}

/** Puts the mails that an event asks for. Safe to repeat: a mail's id derives from the event and the address. */
const tell = async (teller: Teller, event: Recorded): Promise<void> => {
  if (!isDatastoreEvent(event) && !isJobEvent(event)) return
  if (noticeOf(event, circumstances(event)) === undefined) return
  const found = await datastoreAt(teller, event.data.datastoreId, event)
  const notice = found && noticeOf(event, circumstances(event, found))
  if (found !== undefined && notice !== undefined) await put(teller, event, notice, found)
}

/** How far it has been told; of a log that nobody was ever told of, the past is no news. */
const reachedBy = async ({ db, store }: Teller): Promise<Position | 'start'> => {
  const row = await db.selectFrom('notices.checkpoint').select('position').executeTakeFirst()
  if (row !== undefined) return parsePosition(row.position) ?? 'start'
  const head = await store.head()
  await keep(db, head)
  return head
}

const keep = async (db: NoticesDb, reached: Position | 'start'): Promise<void> => {
  const position = reached === 'start' ? 'start' : positionText(reached)
  await db
    .insertInto('notices.checkpoint')
    .values({ one: true, position })
    .onConflict((conflict) => conflict.column('one').doUpdateSet({ position }))
    .execute()
}

const work = async (teller: Teller, onSound: () => void): Promise<void> => {
  const { store, db, signal } = teller
  for await (const { events, position } of store.subscribe({ after: await reachedBy(teller), prefixes: PREFIXES, signal })) {
    for (const event of events) await tell(teller, event)
    if (events.length > 0) await keep(db, position)
    onSound()
  }
}

/**
 * Puts a mail into the outbox for whatever happens to a datastore whose people want to be told, until `signal`: one for
 * each event and address, however often this or anything else dies. One teller is at work at a time.
 */
export const teller = (options: Teller): Promise<void> => {
  const { pool, signal, log } = options
  const sole = {
    pool, lock: 'ccx notices', askEveryMs: LOCK_ASK_EVERY_MS, signal, log,
    waiting: 'another one puts the notices; waiting for its place',
  }
  return inSessions({ signal, log, trouble: 'notices are not put; beginning again' }, (onSound) =>
    aloneAtWork(sole, (_: PoolClient, until) => work({ ...options, signal: until }, onSound)),
  )
}
