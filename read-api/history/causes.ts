import type { Kysely } from 'kysely'
import type { KnownEvent } from '../../projections/known-event.ts'
import { sortablePosition } from '../../projections/positions.ts'
import type { ReadSchema } from '../../projections/schema.ts'
import { type AuditDb, knownOf } from './events.ts'

type Type = KnownEvent['type']
type Of<T extends Type> = Extract<KnownEvent, { readonly type: T }>

/** As many as one step has orders under way, more or less. */
const ORDERS_PAGE = 50
/** As many as one decision has events, at most. */
const DECISION_MAX = 50
const CHAIN_MAX = 20

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** How one event follows from another: the events from the first cause to the event itself. */
export type Causes = {
  readonly chain: readonly KnownEvent[]
  /** What was asked for with the first of them, if it is known. */
  readonly command: string | undefined
}

export type CauseOf = (event: KnownEvent) => Promise<Causes>

type Queries = { readonly audit: AuditDb; readonly db: Kysely<ReadSchema>; readonly datastoreId: string }

const isOutcome = (event: KnownEvent): event is Of<'StepSucceeded' | 'StepFailed' | 'StepNoted'> =>
  event.type === 'StepSucceeded' || event.type === 'StepFailed' || event.type === 'StepNoted'

/** Finds events of one datastore, near the place where they must be. */
const finder = ({ audit, db, datastoreId }: Queries) => {
  const entries = audit.selectFrom('audit.entries').select(['event', 'position']).where('datastore_id', '=', datastoreId)

  const before = (event: KnownEvent) =>
    entries.where('position', '<', sortablePosition(event.position)).orderBy('position', 'desc')

  const last = async (event: KnownEvent, ...types: readonly Type[]): Promise<KnownEvent | undefined> => {
    const found = before(event).where('stream', '=', event.stream).where('type', 'in', types).limit(1)
    return knownOf(await found.execute())[0]
  }

  const byId = async (event: KnownEvent): Promise<KnownEvent | undefined> => {
    const { actor, causationId } = event.metadata
    if (actor.kind !== 'system' || !UUID.test(causationId)) return undefined
    return knownOf(await before(event).where('event_id', '=', causationId).limit(1).execute())[0]
  }

  /** The order that an outcome answers: the last one before it at the same place. */
  const order = async (outcome: Of<'StepSucceeded' | 'StepFailed' | 'StepNoted'>): Promise<KnownEvent | undefined> => {
    const { step, key, attempt, course } = outcome.data
    const orders = before(outcome).where('stream', '=', outcome.stream).where('type', '=', 'StepOrdered').limit(ORDERS_PAGE)
    for (let page = orders; ; ) {
      const rows = await page.execute()
      const found = knownOf(rows).find(
        ({ type, data }) =>
          type === 'StepOrdered' && data.step === step && data.key === key && data.attempt === attempt && data.course === course,
      )
      const end = rows.at(-1)
      if (found !== undefined || end === undefined) return found
      page = orders.where('position', '<', end.position)
    }
  }

  const queuedAt = async (jobId: string): Promise<string> => {
    const row = await db.selectFrom('jobs').select('queued_position').where('job_id', '=', jobId).executeTakeFirst()
    return row?.queued_position ?? ''
  }

  /** The first event of a type that is about a job. The entries' text is canonical JSON, so a member is written in one way. */
  const ofJob = async (type: 'JobQueued' | 'JobAdmitted' | 'JobStarted', jobId: string): Promise<KnownEvent | undefined> => {
    const found = entries
      .where('position', '>=', await queuedAt(jobId))
      .where('type', '=', type)
      .where('event', 'like', `%"jobId":"${jobId}"%`)
      .orderBy('position')
      .limit(1)
    return knownOf(await found.execute())[0]
  }

  const command = async (event: KnownEvent): Promise<string | undefined> => {
    if (event.metadata.command !== undefined) return event.metadata.command.type
    // Only the first event of a decision says what was decided on.
    const rows = await before(event).where('stream', '=', event.stream).limit(DECISION_MAX).execute()
    const first = knownOf(rows).find(
      ({ metadata }) => metadata.commandId === event.metadata.commandId && metadata.command !== undefined,
    )
    return first?.metadata.command?.type
  }
  return { last, byId, order, ofJob, command }
}

/** What an event follows from; undefined for what was asked for from outside. */
const causeOf = (find: ReturnType<typeof finder>, event: KnownEvent): Promise<KnownEvent | undefined> => {
  if (isOutcome(event)) return find.order(event)
  switch (event.type) {
    // Steps follow from one another; what they all follow from is the job.
    case 'StepOrdered':
      return find.ofJob('JobStarted', event.data.jobId)
    case 'JobStarted':
      return find.ofJob('JobAdmitted', event.data.jobId)
    case 'JobAdmitted':
      return find.ofJob('JobQueued', event.data.jobId)
    case 'JobFinished':
      return find.last(event, 'StepSucceeded', 'JobStarted')
    case 'JobUnwound':
      return find.last(event, 'UnwindingBegun', 'JobCancelled')
    case 'UnwindingBegun':
    case 'AttentionNeeded':
      return find.last(event, 'StepFailed')
    default:
      return find.byId(event)
  }
}

/**
 * Follows the events of one datastore back to what was asked for. Neighbours share most of their way, so each part of it is
 * looked for once.
 */
export const causes = (queries: Queries): CauseOf => {
  const find = finder(queries)
  const known = new Map<string, Promise<KnownEvent | undefined>>()
  const cause = (event: KnownEvent): Promise<KnownEvent | undefined> => {
    const found = known.get(event.id) ?? causeOf(find, event)
    known.set(event.id, found)
    return found
  }
  return async (event) => {
    const chain = [event]
    for (let at = await cause(event); at !== undefined && chain.length < CHAIN_MAX; at = await cause(at)) chain.unshift(at)
    return { chain, command: await find.command(chain[0] ?? event) }
  }
}
