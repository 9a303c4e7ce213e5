import { z } from 'zod'
import type { Vendor } from '../domain/catalogue/catalogue.ts'
import { vendorNamed } from '../domain/catalogue/catalogue.ts'
import { type Parameter, type ParameterValues, parametersOf, valuesRefusal } from '../domain/catalogue/parameters.ts'
import type { Change } from '../domain/datastore/changes/index.ts'
import { Refused, type Request } from '../domain/kernel/endpoint.ts'
import type { Cause, Position } from '../domain/kernel/event-store.ts'
import type { ParameterGroupCommand } from '../domain/parameter-group/messages.ts'
import { type Choice, type ParameterGroup, parameterGroups } from '../domain/parameter-group/parameter-group.ts'
import { type CommandEndpoints, type Known, knownDatastore, toolsOf } from './datastore-tools.ts'
import { fold, handle } from './handle.ts'

export type ParameterEdgeRejection = 'parameter-group-mismatch' | 'parameters-in-group'

/** A choice whose job is not there so long after it was made comes from a request that has come to nothing, in milliseconds. */
const CHOICE_MS_MAX = 120_000

export const streamOf = (ownerId: string): string => `parameters-${ownerId}`

type Asked = Request<unknown, unknown, unknown>

export type GroupTools = ReturnType<typeof groupTools>

/** What every call about parameter groups needs. */
export const groupTools = (options: CommandEndpoints) => {
  const { store, around = (send) => send } = options
  const { cause, once, send } = toolsOf(options)
  const sending = around(handle({ store }, parameterGroups, ({ data }) => streamOf(data.ownerId)))
  return {
    cause,
    once,
    sendToDatastore: send,
    /** @throws Refused what the domain refuses */
    send: async (command: ParameterGroupCommand, because: Cause): Promise<Position | undefined> => {
      const outcome = await sending(command, because)
      if ('rejection' in outcome) throw new Refused(outcome.rejection)
      return outcome.position
    },
    /**
     * Another's group does not exist for the one who asks.
     *
     * @throws Refused `parameter-group-not-found`
     */
    own: async ({ principal: { ownerId } }: Asked, groupId: string): Promise<ParameterGroup> => {
      const { state } = await fold({ store }, parameterGroups, streamOf(ownerId))
      const group = state.groups[groupId]
      if (group !== undefined) return group
      throw new Refused({ rejected: 'parameter-group-not-found', because: `there is no parameter group ${groupId}` })
    },
  }
}

/**
 * The choices of a group of which nothing is left.
 *
 * @returns the ids of their jobs
 */
export const freeOf = async (
  { store, now }: Pick<CommandEndpoints, 'store' | 'now'>,
  groupId: string,
  { chosenFor }: ParameterGroup,
): Promise<readonly string[]> => {
  const all = Object.entries(chosenFor).map(async ([datastoreId, choice]) => {
    const { state } = await knownDatastore({ store }, datastoreId, undefined)
    return isFree(state, groupId, choice, now()) ? [choice.jobId] : []
  })
  return (await Promise.all(all)).flat()
}

const isFree = ({ status, spec, queue, jobsSeen }: Known, groupId: string, { jobId, at }: Choice, now: string): boolean => {
  if (status === 'deleting' || status === 'deleted') return true
  if (spec.parameters?.groupId === groupId) return false
  if (queue.some(({ change }) => change?.kind === 'change-parameters' && change.groupId === groupId)) return false
  return jobsSeen.has(jobId) || Date.parse(now) - Date.parse(at) > CHOICE_MS_MAX
}

/** A kind of datastore that is offered, and what may be set there. */
export type Scope = {
  readonly vendor: Vendor
  readonly version: string
  readonly type: string
  readonly offered: readonly Parameter[]
}

type Named = { readonly vendor: string; readonly version?: string | undefined; readonly type?: string | undefined }

/**
 * The kind of datastore that a client names; what he leaves open is chosen as for a new one.
 *
 * @throws Refused `not-offered`, by the name of the field
 */
export const scopeOf = ({ catalogue }: Pick<CommandEndpoints, 'catalogue'>, named: Named): Scope => {
  const refused = (field: string, codes: readonly string[]): Refused =>
    new Refused({ rejected: 'not-offered', because: `${field} must be one of: ${codes.join(', ')}` })
  const vendor = vendorNamed(catalogue, named.vendor)
  if (vendor === undefined) throw refused('database_vendor', catalogue.vendors.map(({ code }) => code))
  const version = named.version ?? vendor.versions.at(-1) ?? ''
  if (!vendor.versions.includes(version)) throw refused('database_version', vendor.versions)
  const wanted = named.type?.toLowerCase()
  const found = wanted === undefined ? vendor.types[0] : vendor.types.find(({ code }) => code.toLowerCase() === wanted)
  if (found === undefined) throw refused('database_type', vendor.types.map(({ code }) => code))
  const { code: type } = found
  return { vendor, version, type, offered: parametersOf(vendor, { version, type }) }
}

/**
 * The kind of a group or datastore that is there: whatever is offered by now, it goes on being of its version and type.
 *
 * @throws Refused `not-offered` when its vendor is not in the catalogue any more
 */
export const kindOf = (options: Pick<CommandEndpoints, 'catalogue'>, { vendor: code, version, type }: Kind): Scope => {
  const { vendor } = scopeOf(options, { vendor: code })
  return { vendor, version, type, offered: parametersOf(vendor, { version, type }) }
}
type Kind = { readonly vendor: string; readonly version: string; readonly type: string }

/** @throws Refused by the name of the parameter and the rule */
export const checked = ({ offered }: Scope, values: ParameterValues): ParameterValues => {
  const refusal = valuesRefusal(offered, values)
  if (refusal !== undefined) throw new Refused(refusal)
  return values
}

/** The change that gives a datastore of that kind these values. */
export const changeTo = ({ offered }: Scope, groupId: string | null, values: ParameterValues) =>
  ({
    kind: 'change-parameters',
    groupId,
    values,
    restarts: offered.filter(({ takes }) => takes === 'restart').map(({ name }) => name),
    replicaNeeds: Object.fromEntries(
      offered.filter(({ replicaNeeds }) => replicaNeeds === true).map(({ name, default: unset }) => [name, Number(unset)]),
    ),
  }) as const satisfies Change

const VALUES_MAX = 500

/** Clients that know numbers and truth values may send them as such. Null is as good as nothing. */
export const valueBody = z.union([z.string().max(10_000), z.number(), z.boolean(), z.null()])

export const valuesBody = z
  .record(z.string().max(100), valueBody)
  .refine((values) => Object.keys(values).length <= VALUES_MAX, `must have at most ${VALUES_MAX} members`)
  .transform(
    (values): ParameterValues =>
      Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]]))),
  )
