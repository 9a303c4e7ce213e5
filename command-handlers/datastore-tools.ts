import { z } from 'zod'
import type { Catalogue } from '../domain/catalogue/catalogue.ts'
import { type Datastore, datastore } from '../domain/datastore/datastore.ts'
import type { Sagas } from '../domain/job/saga.ts'
import { Refused } from '../domain/kernel/endpoint.ts'
import type { EventStore, Position } from '../domain/kernel/event-store.ts'
import { admitting } from './admission.ts'
import { fold, handle } from './handle.ts'
import { asking, type Sending } from './sending.ts'

export type CommandEndpoints = Sending & {
  readonly catalogue: Catalogue
  /** The plan of each kind of job: to tell what a change would do, and whether a job can still be stopped. */
  readonly sagas: Sagas
  /** Under which the datastores' names lie. */
  readonly domain: string
  /** How long a resolver may keep such a name. */
  readonly ttlSeconds: number
}

/** Where datastores are made, changed and unmade. */
export const CLUSTER_PATH = '/api/prov/api/v2/cluster'

/** The datastore that a path names. */
export const datastoreParams = z.object({ uuid: z.uuid().toLowerCase() })

const streamOf = (datastoreId: string): string => `datastore-${datastoreId}`

/** What every call that changes a datastore works with. */
export const toolsOf = (options: CommandEndpoints) => {
  return { ...asking(options), ...sendingAdmitted(options) }
}

/**
 * How a command that may ask for a job is sent, whoever asks.
 *
 * @returns `send`, which carries a command once the jobs that it asks for are taken, and throws Refused `admission-stopped`
 *   where they are not; and `admit`, which sees to that alone
 */
export const sendingAdmitted = ({ store, around = (send) => send }: Pick<CommandEndpoints, 'store' | 'around'>) => {
  const sent = around(sendToDatastore({ store }))
  const admit = admitting({ store, find: (datastoreId) => found({ store }, datastoreId) })
  const send: typeof sent = async (command, cause) => {
    await admit([command])
    return sent(command, cause)
  }
  return { send, admit }
}

const found = async (options: { readonly store: Pick<EventStore, 'read'> }, datastoreId: string): Promise<Known | undefined> => {
  const { state } = await fold(options, datastore, streamOf(datastoreId))
  return state.status === 'absent' ? undefined : state
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
