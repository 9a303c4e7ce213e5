import { z } from 'zod'
import type { DatastoreCommand } from '../domain/datastore/messages.ts'
import {
  admissionRefusal, type Concerned, type Installation, installation, type Scope,
} from '../domain/installation/installation.ts'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'
import type { EventStore } from '../domain/kernel/event-store.ts'
import type { CommandEndpoints, Known } from './datastore-tools.ts'
import { fold, handle } from './handle.ts'
import { asking } from './sending.ts'

export type AdmissionRejection = 'admission-stopped' | 'malformed-scope'

const STREAM = 'installation-jobs'
const RETRY_AFTER_SECONDS = 60
const TEXT_LENGTH_MAX = 200

type Reading = { readonly store: Pick<EventStore, 'read'> }

/** Which jobs the installation takes, as its stream tells it. */
export const admissionOf = async ({ store }: Reading): Promise<Installation> =>
  (await fold({ store }, installation, STREAM)).state

/** Carries a command to the installation's stream. */
export const sendToInstallation = ({ store }: { readonly store: Pick<EventStore, 'read' | 'append'> }) =>
  handle({ store }, installation, () => STREAM)

/** @throws Refused `admission-stopped` when no job of the datastore is taken at present */
export const checkAdmission = ({ stops }: Installation, concerned: Concerned, isDeletion: boolean): void => {
  const refusal = admissionRefusal(stops, concerned, isDeletion)
  if (refusal !== undefined) throw new Refused({ ...refusal, retryAfterSeconds: RETRY_AFTER_SECONDS })
}

/** Whether a command asks for a job, and for which datastore; deletion is a job of its own kind. */
const asksFor = ({ type, data }: DatastoreCommand, known: Known | undefined): { readonly isDeletion: boolean } | undefined => {
  switch (type) {
    case 'CreateDatastore':
    case 'ChangeDatastore':
      // One that has been taken before is answered as it was.
      return known?.jobsSeen.has(data.jobId) === true ? undefined : { isDeletion: false }
    case 'DeleteDatastore':
      return known?.jobsSeen.has(data.jobId) === true || known?.status === 'deleting' ? undefined : { isDeletion: true }
    case 'RetryJob':
      if (known?.jobsSeen.has(data.jobId) === true) return undefined
      return { isDeletion: known?.past.get(data.retried)?.kind === 'delete-datastore' }
    default:
      return undefined
  }
}

/**
 * Sees that commands which ask for a job are taken at present. The datastore is read only while something is stopped.
 *
 * @param options.find a datastore as it is; undefined for one that is not there
 * @throws Refused `admission-stopped`, before anything is decided
 */
export const admitting =
  ({ store, find }: Reading & { readonly find: (datastoreId: string) => Promise<Known | undefined> }) =>
  async (commands: readonly DatastoreCommand[]): Promise<void> => {
    const wanting = commands.filter(({ type }) => type !== 'ChangeSettings' && type !== 'StopJob' && type !== 'RecordJobEnded')
    if (wanting.length === 0) return
    const state = await admissionOf({ store })
    if (state.stops.length === 0) return
    for (const command of wanting) {
      const known = await find(command.data.datastoreId)
      const asked = asksFor(command, known)
      const concerned = command.type === 'CreateDatastore' ? command.data.spec : known?.spec
      if (asked !== undefined && concerned !== undefined) checkAdmission(state, concerned, asked.isDeletion)
    }
  }

const text = z.string().trim().min(1).max(TEXT_LENGTH_MAX)

const scopeBody = z.object({
  scope: z.enum(['all', 'organisation', 'region', 'engine']),
  name: text.nullish().meta({ description: 'The organisation’s id, or the code of the region or the engine. Not with `all`.' }),
})

const stopBody = scopeBody.extend({
  reason: text.meta({ description: 'Shown to tenants who are refused.' }),
  allow_deletions: z.boolean().default(true),
})

const listBody = z.object({
  stopped: z.array(
    z.object({
      scope: z.string(),
      name: z.string().nullable(),
      reason: z.string(),
      allow_deletions: z.boolean(),
      since: z.iso.datetime(),
    }),
  ),
})

/**
 * The scope that a request names.
 *
 * @throws Refused `malformed-scope`, or `not-offered` for a region or an engine that there is not
 */
export const scopeOf = (
  { scope: kind, name }: z.infer<typeof scopeBody>,
  { catalogue }: Pick<CommandEndpoints, 'catalogue'>,
): Scope => {
  const malformed = (because: string): never => {
    throw new Refused({ rejected: 'malformed-scope' satisfies AdmissionRejection, because })
  }
  if (kind === 'all') return name == null ? { kind } : malformed('`name` is not given with `all`')
  if (name == null) return malformed(`\`name\` says which ${kind} is meant`)
  if (kind === 'organisation') {
    if (!z.uuid().safeParse(name).success) return malformed('an organisation goes by its id, a UUID')
    return { kind, name: name.toLowerCase() }
  }
  const offered =
    kind === 'region'
      ? catalogue.clouds.flatMap(({ regions }) => regions.map(({ code }) => code))
      : catalogue.vendors.flatMap(({ code, engine }) => [code, engine])
  if (offered.includes(name)) return { kind, name }
  throw new Refused({ rejected: 'not-offered', because: `\`name\`: there is no ${kind} ${name}; there is ${offered.join(', ')}` })
}

const listOf = ({ stops }: Installation): z.infer<typeof listBody> => ({
  stopped: stops.map(({ scope, because, deletions, since }) => ({
    scope: scope.kind,
    name: scope.kind === 'all' ? null : scope.name,
    reason: because,
    allow_deletions: deletions,
    since,
  })),
})

const PATH = '/api/admin/v1/admission'
const tag = 'Administration'
const replies = { 200: { description: 'What is stopped.', schema: listBody } }

/** The calls by which operators stop and open the admission of jobs. */
export const admissionEndpoints = (options: CommandEndpoints): readonly Endpoint[] => {
  const { store, now } = options
  const { cause, once } = asking(options)
  const send = sendToInstallation({ store })
  return [
    endpoint({
      method: 'GET',
      path: PATH,
      summary: 'List for whom no new jobs are taken, and why',
      tag,
      access: 'admin',
      replies,
      handle: async () => ({ status: 200, body: listOf(await admissionOf({ store })) }),
    }),
    endpoint({
      method: 'POST',
      path: `${PATH}/stop`,
      summary: 'Take no new jobs: of anybody, or of an organisation, a region or an engine',
      tag,
      access: 'admin',
      body: stopBody,
      replies,
      handle: async (request) => {
        const { reason: because, allow_deletions: deletions } = request.body
        const scope = scopeOf(request.body, options)
        return once(request, { method: 'POST', path: `${PATH}/stop`, body: { scope, because, deletions } }, async (commandId) => {
          const data = { scope, because, deletions, now: now() }
          const outcome = await send({ type: 'StopAdmission', data }, await cause(request, commandId))
          if ('rejection' in outcome) throw new Refused(outcome.rejection)
          return { status: 200, body: listOf(outcome.state), position: outcome.position }
        })
      },
    }),
    endpoint({
      method: 'POST',
      path: `${PATH}/start`,
      summary: 'Take new jobs again where none were taken',
      tag,
      access: 'admin',
      body: scopeBody,
      replies,
      handle: async (request) => {
        const scope = scopeOf(request.body, options)
        return once(request, { method: 'POST', path: `${PATH}/start`, body: { scope } }, async (commandId) => {
          const outcome = await send({ type: 'OpenAdmission', data: { scope, now: now() } }, await cause(request, commandId))
          if ('rejection' in outcome) throw new Refused(outcome.rejection)
          return { status: 200, body: listOf(outcome.state), position: outcome.position }
        })
      },
    }),
  ]
}
