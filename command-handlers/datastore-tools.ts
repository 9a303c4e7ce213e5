import { z } from 'zod'
import type { Catalogue } from '../domain/catalogue/catalogue.ts'
import { type Datastore, datastore } from '../domain/datastore/datastore.ts'
import type { Sagas } from '../domain/job/saga.ts'
import type { Command, Event } from '../domain/kernel/decider.ts'
import { Refused, type Request } from '../domain/kernel/endpoint.ts'
import type { EventStore, Position } from '../domain/kernel/event-store.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import type { Instant } from '../domain/kernel/time.ts'
import { answerOnce } from './answer-once.ts'
import { causeOf } from './cause.ts'
import { fold, handle, type Send } from './handle.ts'

export type CommandEndpoints = {
  readonly store: Pick<EventStore, 'read' | 'append'>
  readonly catalogue: Catalogue
  /** The plan of each kind of job: to tell what a change would do, and whether a job can still be stopped. */
  readonly sagas: Sagas
  /** Under which the datastores' names lie. */
  readonly domain: string
  /** How long a resolver may keep such a name. */
  readonly ttlSeconds: number
  readonly now: () => Instant
  readonly personal: PersonalData
  /** Of the span at work. */
  readonly traceparent: () => string | undefined
  /** Put around the sending of commands, to count and trace them. */
  readonly around?: <C extends Command, E extends Event, S, Code extends string>(
    send: Send<C, E, S, Code>,
  ) => Send<C, E, S, Code>
}

/** Where datastores are made, changed and unmade. */
export const CLUSTER_PATH = '/api/prov/api/v2/cluster'

/** The datastore that a path names. */
export const datastoreParams = z.object({ uuid: z.uuid().toLowerCase() })

const streamOf = (datastoreId: string): string => `datastore-${datastoreId}`

/** What every call that changes a datastore works with. */
export const toolsOf = ({ store, personal, traceparent, around = (send) => send }: CommandEndpoints) => {
  const cause = (request: Request<unknown, unknown, unknown>, commandId: string) =>
    causeOf(request, commandId, { seal: personal.seal, traceparent: traceparent() })
  return {
    cause,
    once: answerOnce({ store, personal, cause }),
    send: around(sendToDatastore({ store })),
  }
}

/** Carries a command to a datastore's stream. */
export const sendToDatastore = ({ store }: Pick<CommandEndpoints, 'store'>) =>
  handle({ store }, datastore, ({ data }) => streamOf(data.datastoreId))

export type Known = Exclude<Datastore, { readonly status: 'absent' }>

/**
 * A datastore as its stream tells it, for the one it belongs to.
 *
 * @param ownerId who asks; undefined: an operator, who may see every one
 * @throws Refused `datastore-not-found` where there is none, or another's
 */
export const knownDatastore = async (
  { store }: { readonly store: Pick<EventStore, 'read'> },
  datastoreId: string,
  ownerId: string | undefined,
): Promise<{ readonly state: Known; readonly position: Position | undefined }> => {
  const { state, position } = await fold({ store }, datastore, streamOf(datastoreId))
  // Another's datastore does not exist for the one who asks.
  if (state.status === 'absent' || (ownerId !== undefined && state.spec.ownerId !== ownerId)) {
    throw new Refused({ rejected: 'datastore-not-found', because: `there is no datastore ${datastoreId}` })
  }
  return { state, position }
}
