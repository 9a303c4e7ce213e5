import type { Kysely } from 'kysely'
import type { KnownEvent } from '../../projections/known-event.ts'
import { sortablePosition } from '../../projections/positions.ts'
import type { ReadSchema } from '../../projections/schema.ts'
import { type AuditDb, knownOf } from './events.ts'

type Type = KnownEvent['type']
type Of<T extends Type> = Extract<KnownEvent, { readonly type: T }>

/** What is looked for is mostly beside where the looking begins; a page that does not hold it is followed by a larger one. */
const PAGE_MIN = 64
const PAGE_MAX = 4_096
/** Further than this no cause is looked for. */
const LOOK_MAX = 50_000
const CHAIN_MAX = 20

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

type Where = { readonly from: string; readonly direction: '<' | '>='; readonly max?: number }
type Entry = { readonly position: string; readonly event_id: string; readonly type: string; readonly stream: string }

/**
 * Finds events of one datastore, near the place where they must be. The pages are read in the order of their index and
 * looked through here: told what is wanted, the database would rather go through the whole history.
 */
const finder = ({ audit, db, datastoreId }: Queries) => {
  const entries = audit
    .selectFrom('audit.entries')
    .select(['position', 'event_id', 'type', 'stream', 'event'])
    .where('datastore_id', '=', datastoreId)

  const look = async (
    { from, direction, max = LOOK_MAX }: Where,
    isIt: (entry: Entry) => boolean,
    fits: (event: KnownEvent) => boolean = () => true,
  ): Promise<KnownEvent | undefined> => {
    const onward = direction === '<' ? '<' : '>'
    let page = entries.where('position', direction, from)
    for (let size = PAGE_MIN, seen = 0; seen < max; size = Math.min(4 * size, PAGE_MAX)) {
      const rows = await page.orderBy('position', direction === '<' ? 'desc' : 'asc').limit(size).execute()
      const found = knownOf(rows.filter(isIt)).find(fits)
      const end = rows.at(-1)
      if (found !== undefined || end === undefined || rows.length < size) return found
      seen += rows.length
      page = entries.where('position', onward, end.position)
    }
    return undefined
  }
  const before = ({ position }: KnownEvent) => ({ from: sortablePosition(position), direction: '<' }) as const

  const last = (event: KnownEvent, ...types: readonly Type[]): Promise<KnownEvent | undefined> => {
    const wanted = new Set<string>(types)
    return look(before(event), ({ stream, type }) => stream === event.stream && wanted.has(type))
  }

  const byId = async (event: KnownEvent): Promise<KnownEvent | undefined> => {
    const { actor, causationId, commandId } = event.metadata
    // What the control plane does by itself has no cause but itself.
    if (actor.kind !== 'system' || causationId === commandId) return undefined
    return look(before(event), ({ event_id: id }) => id === causationId)
  }

  /** The order that an outcome answers: the last one before it at the same place. */
  const order = (outcome: Of<'StepSucceeded' | 'StepFailed' | 'StepNoted'>): Promise<KnownEvent | undefined> => {
    const { step, key, attempt, course } = outcome.data
    return look(
      before(outcome),
      ({ stream, type }) => stream === outcome.stream && type === 'StepOrdered',
      ({ type, data }) =>
        type === 'StepOrdered' &&
        data.step === step && data.key === key && data.attempt === attempt && data.course === course,
    )
  }

  const queuedAt = async (jobId: string): Promise<string> => {
    const row = await db.selectFrom('jobs').select('queued_position').where('job_id', '=', jobId).executeTakeFirst()
    return row?.queued_position ?? ''
  }

  /** The first event of a type that is about a job. */
  const ofJob = async (wanted: 'JobQueued' | 'JobAdmitted' | 'JobStarted', jobId: string): Promise<KnownEvent | undefined> =>
    look(
      { from: await queuedAt(jobId), direction: '>=' },
      ({ type }) => type === wanted,
      ({ data }) => 'jobId' in data && data.jobId === jobId,
    )

  /** What was asked for. Only the first event of a decision says it, and a decision is written at one blow. */
  const command = async (event: KnownEvent): Promise<string | undefined> => {
    const { command: own, commandId } = event.metadata
    if (own !== undefined) return own.type
    const first = await look(
      { ...before(event), max: PAGE_MIN },
      ({ stream }) => stream === event.stream,
      ({ metadata }) => metadata.commandId === commandId && metadata.command !== undefined,
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
