import type { Kysely } from 'kysely'
import { positionText } from '../../domain/kernel/event-store.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import { type Names, wordsOf } from '../../projections/event-words.ts'
import type { KnownEvent } from '../../projections/known-event.ts'
import type { ReadSchema } from '../../projections/schema.ts'
import { loginsOf } from '../logins.ts'
import type { ActorReply, EventReply } from './replies.ts'

/** Shapes events for an answer: with names for steps and nodes, and logins for those who acted. */
export type Telling = {
  readonly names: Names
  readonly event: (event: KnownEvent) => EventReply
  readonly actor: (event: KnownEvent) => ActorReply
}

const jobIdsOf = (events: readonly KnownEvent[]): readonly string[] => [
  ...new Set(events.flatMap(({ data }) => ('jobId' in data ? [data.jobId] : []))),
]

/**
 * What is needed to tell of some events of a datastore.
 *
 * @param nodeNames how its nodes are called, by their ids
 */
export const tellingOf = async (
  { db, personal }: { readonly db: Kysely<ReadSchema>; readonly personal: Pick<PersonalData, 'open'> },
  nodeNames: ReadonlyMap<string, string>,
  events: readonly KnownEvent[],
): Promise<Telling> => {
  const jobIds = jobIdsOf(events)
  const [rows, logins] = await Promise.all([
    jobIds.length === 0 ? [] : db.selectFrom('jobs').select(['job_id', 'steps']).where('job_id', 'in', jobIds).execute(),
    loginsOf(db, personal, events.map(({ metadata }) => metadata.actor.id)),
  ])
  const titles = new Map(rows.flatMap(({ job_id, steps }) => steps.map(({ name, title }) => [`${job_id} ${name}`, title])))
  const names: Names = {
    step: (jobId, step) => titles.get(`${jobId} ${step}`) ?? step,
    node: (nodeId) => nodeNames.get(nodeId) ?? nodeId,
  }
  return {
    names,
    event: (event) => ({
      id: event.id,
      type: event.type,
      stream: event.stream,
      position: positionText(event.position),
      at: event.recordedAt,
      what: wordsOf(event, names),
    }),
    actor: ({ metadata: { actor } }) => ({
      kind: actor.kind,
      id: actor.id,
      login: logins.get(actor.id) ?? null,
      client_id: actor.clientId ?? null,
      role: actor.role ?? null,
    }),
  }
}
