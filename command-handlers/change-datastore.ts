import { z } from 'zod'
import type { Change, ChangeKind } from '../domain/datastore/changes/index.ts'
import { planned } from '../domain/datastore/datastore.ts'
import { highAvailabilityOf } from '../domain/datastore/high-availability.ts'
import type { DatastoreCommand, Settings } from '../domain/datastore/messages.ts'
import { type ChangeRequest, type PlainSettings, planChanges, planSettings } from '../domain/datastore/plan-change.ts'
import type { DatastoreSpec, Wording } from '../domain/datastore/spec.ts'
import { type Endpoint, endpoint, Refused, type Reply, type Request } from '../domain/kernel/endpoint.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import { fingerprintOf } from './answer-once.ts'
import { changeBody, changeRequestOf, maintenanceBody } from './change-body.ts'
import { createdBody, createdOf } from './create-datastore.ts'
import { CLUSTER_PATH, type CommandEndpoints, datastoreParams, type Known, knownDatastore, toolsOf } from './datastore-tools.ts'
import { dryRunBody, dryRunOfChanges, dryRunQuery, rehearsed } from './dry-run.ts'
import { derivedId, freshId, nodesOf } from './ids.ts'

const tag = 'Datastores'

/** A command with the id under which it is recognised when it comes again. */
type Planned = { readonly command: DatastoreCommand; readonly commandId: string }
type Plans = {
  readonly commands: readonly Planned[]
  readonly changes: readonly Change[]
  readonly settings: PlainSettings
  /** As the settings leave them. */
  readonly words: Wording<string>
}

type Asker = Request<unknown, unknown, unknown>
type Asking = { readonly request: Asker; readonly datastoreId: string; readonly path: string; readonly dryRun: boolean }

/** What a client calls a setting. */
const SETTINGS: Readonly<Record<keyof PlainSettings, string>> = {
  name: 'cluster_name',
  tags: 'tags',
  notifications: 'notifications',
  maintenance: 'maintenance_settings',
  highAvailability: 'high_availability',
}

/** The calls that change a datastore which is there. */
export const changeEndpoints = (options: CommandEndpoints): readonly Endpoint[] => {
  const change = changing(options)
  const replies = {
    200: {
      description: 'The datastore as it will be, one job for each change; or, of a dry run, the plan.',
      schema: z.union([createdBody, dryRunBody]),
    },
  }
  return [
    endpoint({
      method: 'PATCH',
      path: `${CLUSTER_PATH}/:uuid`,
      summary: 'Change a datastore: its settings at once, all else by jobs',
      tag,
      access: 'user',
      params: datastoreParams,
      query: dryRunQuery,
      body: changeBody,
      replies,
      handle: (request) => {
        const { params: { uuid: datastoreId }, query: { dryRun } } = request
        const path = `${CLUSTER_PATH}/${datastoreId}`
        return change({ request, datastoreId, path, dryRun }, changeRequestOf(request.body))
      },
    }),
    endpoint({
      method: 'PATCH',
      path: '/api/v2/stores/:store_id',
      summary: 'Set when a datastore may be maintained',
      tag,
      access: 'user',
      params: z.object({ store_id: datastoreParams.shape.uuid }),
      query: dryRunQuery,
      body: maintenanceBody,
      replies,
      handle: (request) => {
        const { params: { store_id: datastoreId }, query: { dryRun } } = request
        const path = `/api/v2/stores/${datastoreId}`
        return change({ request, datastoreId, path, dryRun }, changeRequestOf(request.body))
      },
    }),
  ]
}

/** Plans all of a request, and does it only if all of it can be done. */
const changing = (options: CommandEndpoints) => {
  const { cause, once, send, admit } = toolsOf(options)

  const prepare = async ({ request, datastoreId }: Asking, wanted: ChangeRequest, commandId: string) => {
    const { state, position } = await knownDatastore(options, datastoreId, request.principal.ownerId)
    const plans = await plansFor(options, state, wanted, commandId)
    const commands = plans.commands.map(({ command }) => command)
    const after = rehearsed(state, commands)
    // Before the settings, or half of a request would be done.
    await admit(commands)
    return { state, plans, position, after }
  }

  const dryRunOf = async (asking: Asking, wanted: ChangeRequest): Promise<Reply> => {
    const { state, plans } = await prepare(asking, wanted, freshId())
    const { settings, changes } = plans
    const named = Object.entries(SETTINGS).flatMap(([key, name]) => (Object.hasOwn(settings, key) ? [name] : []))
    return { status: 200, body: dryRunOfChanges(options, state, { changes, settings: named }) }
  }

  return async (asking: Asking, wanted: ChangeRequest): Promise<Reply> => {
    if (asking.dryRun) return dryRunOf(asking, wanted)
    const { request, datastoreId, path } = asking
    // JSON has no undefined: what is not given is absent from the fingerprint, however the client put it.
    const body = z.json().parse(JSON.parse(JSON.stringify(wanted)))
    return once(request, { method: 'PATCH', path, body }, async (keyedId) => {
      const correlationId = derivedId('change', keyedId, fingerprintOf(body))
      const prepared = await prepare(asking, wanted, correlationId)
      let { position } = prepared
      for (const { command, commandId } of prepared.plans.commands) {
        const outcome = await send(command, { ...(await cause(request, commandId)), correlationId })
        if ('rejection' in outcome) throw new Refused(outcome.rejection)
        position = outcome.position
      }
      const spec = { ...planned(prepared.after).spec, ...prepared.plans.words }
      return { status: 200, body: createdOf(datastoreId, spec), position }
    })
  }
}

/** @param commandId of the request; everything that follows from it has an id that follows from this one */
const plansFor = async (
  { catalogue, now, personal }: CommandEndpoints,
  state: Known,
  wanted: ChangeRequest,
  commandId: string,
): Promise<Plans> => {
  const { datastoreId, spec } = state
  const set = await openedSettings(personal.open, spec)
  const settings = planSettings(catalogue, set, wanted)
  if ('rejected' in settings) throw new Refused(settings)
  const jobIdOf = (kind: ChangeKind): string => derivedId('job', commandId, kind)
  const shape = planned(state)
  const nodes = nodesOf(commandId, wanted.addNodes.length + shape.spec.nodes.length)
  const changes = planChanges(wanted, { catalogue, shape, nodes }, (kind) => state.jobsSeen.has(jobIdOf(kind)))
  if ('rejected' in changes) throw new Refused(changes)
  const about = { datastoreId, now: now() }
  const sealed = await sealedSettings(personal.seal, spec.ownerId, settings)
  const setting = { type: 'ChangeSettings', data: { ...about, settings: sealed } } as const
  const commands: readonly Planned[] = [
    ...(Object.keys(settings).length === 0 ? [] : [{ commandId: derivedId('settings', commandId), command: setting }]),
    ...changes.map((change) => {
      const data = { ...about, jobId: jobIdOf(change.kind), change }
      return { commandId: derivedId('command', commandId, change.kind), command: { type: 'ChangeDatastore', data } as const }
    }),
  ]
  const { name, tags, notifications } = { ...set, ...settings }
  return { commands, changes, settings, words: { name, tags, notifications } }
}

/** The settings there are, as their owner reads them. */
const openedSettings = async (
  open: PersonalData['open'],
  spec: DatastoreSpec,
): Promise<Required<PlainSettings>> => {
  const { name, tags, notifications: { enabled, emails }, maintenance } = spec
  const [opened = '', ...rest] = await open([name, ...tags, ...emails])
  const notifications = { enabled, emails: rest.slice(tags.length) }
  const { synchronous: _, ...highAvailability } = highAvailabilityOf(spec)
  return { name: opened, tags: rest.slice(0, tags.length), notifications, maintenance, highAvailability }
}

/** The same settings with the tenant's own words sealed under his key. */
const sealedSettings = async (
  seal: PersonalData['seal'],
  ownerId: string,
  { name, tags, notifications, maintenance, highAvailability }: PlainSettings,
): Promise<Settings> => {
  const all = (texts: readonly string[]) => Promise.all(texts.map((text) => seal(ownerId, text)))
  return {
    ...(name === undefined ? {} : { name: await seal(ownerId, name) }),
    ...(tags === undefined ? {} : { tags: await all(tags) }),
    ...(notifications === undefined ? {} : { notifications: { ...notifications, emails: await all(notifications.emails) } }),
    ...(maintenance === undefined ? {} : { maintenance }),
    ...(highAvailability === undefined ? {} : { highAvailability }),
  }
}
