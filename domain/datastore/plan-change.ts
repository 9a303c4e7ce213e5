import { type Catalogue, type Cloud, type Region, vendorNamed } from '../catalogue/catalogue.ts'
import { type Rejection, reject } from '../kernel/decider.ts'
import { type Change, type ChangeKind, type Shape, changed } from './changes/index.ts'
import { nodesToResize } from './changes/resize.ts'
import { highAvailabilityOf } from './high-availability.ts'
import type { AvailabilitySettings } from './messages.ts'
import { planAvailability, type WantedAvailability } from './plan-availability.ts'
import { type PlanRejection, nameRefusal, tagsRefusal } from './plan.ts'
import { planVolumeSize, planVolumeType } from './plan-volume.ts'
import type { DatastoreSpec, NodePlan, Wording } from './spec.ts'

/** A node that a tenant wants beside those there are; what he leaves open is chosen. */
export type WantedNode = { readonly instanceSize?: string | undefined; readonly zone?: string | undefined }

/** What a tenant may say of a datastore that is there; an absent part stays as it is. */
export type ChangeRequest = {
  readonly name?: string | undefined
  readonly tags?: readonly string[] | undefined
  readonly notifications?: Wording<string>['notifications'] | undefined
  readonly maintenance?: DatastoreSpec['maintenance'] | undefined
  readonly volumeSizeGib?: number | undefined
  readonly instanceSize?: string | undefined
  readonly volume?:
    | { readonly type?: string | undefined; readonly iops?: number | undefined; readonly sizeGib?: number | undefined }
    | undefined
  readonly addNodes: readonly WantedNode[]
  readonly removeNodes: readonly string[]
  readonly highAvailability?: WantedAvailability | undefined
}

/** What changes without a job, in words that are not sealed yet. */
export type PlainSettings = Partial<Wording<string>> &
  Partial<Pick<DatastoreSpec, 'maintenance'>> & { readonly highAvailability?: Required<AvailabilitySettings> }

type Refused = Rejection<PlanRejection>

const WINDOW_HOURS = 2
const HOURS_OF_DAY = 24

/**
 * Turns the settings of a request into those that differ from what is set. One client repeats with every change what it
 * set long ago.
 *
 * @param set the settings there are, with their words opened
 * @returns the settings to change, none of them if all is so already, or a refusal that names the field
 */
export const planSettings = (
  { limits }: Catalogue,
  set: Required<PlainSettings>,
  { name, tags, notifications, maintenance, highAvailability }: ChangeRequest,
): PlainSettings | Refused => {
  const availability = highAvailability && planAvailability(set, highAvailability)
  if (availability !== undefined && 'rejected' in availability) return availability
  const refusal =
    (name === undefined ? undefined : nameRefusal(limits, name, 'cluster_name')) ??
    (tags === undefined ? undefined : tagsRefusal(limits, tags, 'tags')) ??
    (maintenance === undefined ? undefined : windowRefusal(maintenance))
  if (refusal !== undefined) return refusal
  return {
    ...(name === undefined || name === set.name ? {} : { name }),
    ...(tags === undefined || isSame(tags, set.tags) ? {} : { tags }),
    ...(notifications === undefined || isSameNotice(notifications, set.notifications) ? {} : { notifications }),
    ...(maintenance === undefined || isSameWindow(maintenance, set.maintenance) ? {} : { maintenance }),
    ...(availability === undefined || isSameChoice(availability, set.highAvailability) ? {} : { highAvailability: availability }),
  }
}

const windowRefusal = ({ startHour, endHour }: DatastoreSpec['maintenance']): Refused | undefined =>
  endHour === (startHour + WINDOW_HOURS) % HOURS_OF_DAY
    ? undefined
    : reject('out-of-range', `maintenance_settings.end_hour must be ${WINDOW_HOURS} hours after start_hour`)

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((text, n) => text === b[n])

type Notice = Wording<string>['notifications']
const isSameNotice = (a: Notice, b: Notice): boolean => a.enabled === b.enabled && isSame(a.emails, b.emails)

type Window = DatastoreSpec['maintenance']
const isSameWindow = (a: Window, b: Window): boolean =>
  a.dayOfWeek === b.dayOfWeek && a.startHour === b.startHour && a.endHour === b.endHour

type Choice = Required<AvailabilitySettings>
const isSameChoice = (a: Choice, b: Choice): boolean =>
  a.prefer === b.prefer && a.repairAfterSeconds === b.repairAfterSeconds && a.lagMaxBytes === b.lagMaxBytes &&
  a.failoversPerHourMax === b.failoversPerHourMax

/** What the asking brings along, since the domain has no ids of its own. */
export type ChangeContext = {
  readonly catalogue: Catalogue
  /** The datastore as it will be when this change's turn comes. */
  readonly shape: Shape
  /** More than there can be nodes, so that some have a name that no node of the datastore has. */
  readonly nodes: readonly { readonly nodeId: string; readonly name: string }[]
}

/** Undefined where the request does not ask for this kind of change. */
export type Planner = (request: ChangeRequest, context: ChangeContext) => Change | Refused | undefined

/** What is asked for in one request is done in this order: nodes come before others go. */
const planners: readonly Planner[] = [
  planVolumeType,
  planVolumeSize,
  (request, context) => planSize(request, context),
  (request, context) => planMoreNodes(request, context),
  (request, context) => planSynchronous(request, context),
  (request) => planFewerNodes(request),
]

/**
 * Turns a request into changes, one job each, in the order in which they are to be done. Whatever the tenant left open is
 * chosen; whatever is not offered is refused, and then nothing of the request is done.
 *
 * @param isTaken whether a change of this kind was taken from this very request before; it is not planned again
 */
export const planChanges = (
  request: ChangeRequest,
  { shape, ...given }: ChangeContext,
  isTaken: (kind: ChangeKind) => boolean,
): readonly Change[] | Refused => {
  const changes: Change[] = []
  let last = shape
  for (const planner of planners) {
    const change = planner(request, { ...given, shape: last })
    if (change === undefined) continue
    if ('rejected' in change) return change
    if (isTaken(change.kind)) continue
    changes.push(change)
    last = changed(last, change)
  }
  const isSameSize = last.spec.nodes.length === shape.spec.nodes.length
  return (isSameSize ? undefined : sizeRefusal(given.catalogue, last)) ?? changes
}

const sizeRefusal = (catalogue: Catalogue, { spec: { vendor, nodes } }: Shape): Refused | undefined => {
  const sizes = vendorNamed(catalogue, vendor)?.sizes
  const between = sizes !== undefined && nodes.length > Math.min(...sizes) && nodes.length < Math.max(...sizes)
  // Too many and too few are the datastore's own to refuse.
  return between && !sizes.includes(nodes.length)
    ? reject('not-offered', `the datastore would have ${nodes.length} nodes; it can have one of: ${sizes.join(', ')}`)
    : undefined
}

/** All nodes alike, by the catalogue of today. A client repeats with every change what it set long ago: that is no change. */
const planSize: Planner = ({ instanceSize }, { catalogue, shape: { spec } }) => {
  if (instanceSize === undefined) return undefined
  const cloud = catalogue.clouds.find(({ code }) => code === spec.cloud)
  // One that is not offered any more can still be had where it is.
  const own = spec.instance.code === instanceSize ? spec.instance : undefined
  const instance = (cloud && instanceOf(cloud, instanceSize)) ?? own
  if (instance === undefined) return notAmong('new_instance_size', cloud?.instances ?? [])
  return nodesToResize(spec, { instance }).length === 0 ? undefined : { kind: 'resize-instances', instance }
}

/** Of the size of the datastore, in the zones that have the fewest of its nodes, unless the tenant says otherwise. */
const planMoreNodes: Planner = ({ addNodes: wanted }, { catalogue, shape: { spec }, nodes }) => {
  if (wanted.length === 0) return undefined
  const place = placeOf(catalogue, spec)
  if ('rejected' in place) return place
  const names = new Set(spec.nodes.map(({ name }) => name))
  const free = nodes.filter(({ name }) => !names.has(name))
  const planned: NodePlan[] = []
  for (const [n, { instanceSize, zone }] of wanted.entries()) {
    const field = `add_nodes.specs[${n}]`
    const node = free[n]
    if (node === undefined) throw new Error('BUG: the planner was given fewer node ids than it needs')
    const instance = instanceSize === undefined ? spec.instance : instanceOf(place.cloud, instanceSize)
    if (instance === undefined) {
      return notAmong(`${field}.instance_size`, place.cloud.instances)
    }
    if (zone !== undefined && !place.region.zones.some(({ code }) => code === zone)) {
      return notAmong(`${field}.availability_zone`, place.region.zones)
    }
    planned.push({ ...node, zone: zone ?? leastUsed(place.region, [...spec.nodes, ...planned]), instance })
  }
  return { kind: 'add-nodes', nodes: planned, nodesMax: nodesMaxOf(catalogue, spec) }
}

/** After nodes that come, which it may need, and before nodes that go, which it may hold. */
const planSynchronous: Planner = ({ highAvailability }, { shape: { spec } }) => {
  const synchronous = highAvailability?.synchronous
  return synchronous === undefined || synchronous === highAvailabilityOf(spec).synchronous
    ? undefined
    : { kind: 'set-synchronous', synchronous }
}

const planFewerNodes = ({ removeNodes }: ChangeRequest): Change | undefined =>
  removeNodes.length === 0 ? undefined : { kind: 'remove-nodes', nodeIds: [...new Set(removeNodes)] }

const notAmong = (field: string, offered: readonly { readonly code: string }[]): Refused =>
  reject('not-offered', `${field} must be one of: ${offered.map(({ code }) => code).join(', ')}`)

/** Where the datastore is, as far as that is still offered. */
const placeOf = (
  { clouds }: Catalogue,
  spec: DatastoreSpec,
): { readonly cloud: Cloud; readonly region: Region } | Refused => {
  const cloud = clouds.find(({ code }) => code === spec.cloud)
  const region = cloud?.regions.find(({ code }) => code === spec.region)
  return cloud === undefined || region === undefined || region.zones.length === 0
    ? reject('not-offered', `add_nodes: ${spec.cloud} ${spec.region} takes no more nodes`)
    : { cloud, region }
}

const instanceOf = ({ instances }: Cloud, wanted: string): NodePlan['instance'] | undefined => {
  const size = instances.find(({ code, type }) => code === wanted || type === wanted)
  return size && { code: size.code, cpu: size.cpu, ramGb: size.ramGb }
}

const leastUsed = ({ zones }: Region, nodes: readonly NodePlan[]): string => {
  const uses = (code: string): number => nodes.filter(({ zone }) => zone === code).length
  return zones.reduce((best, { code }) => (uses(code) < uses(best) ? code : best), zones[0]?.code ?? '')
}

/** A vendor that is not offered any more leaves what the installation allows. */
const nodesMaxOf = (catalogue: Catalogue, { vendor }: DatastoreSpec): number => {
  const { nodesMax } = catalogue.limits
  return Math.min(nodesMax, Math.max(...(vendorNamed(catalogue, vendor)?.sizes ?? [nodesMax])))
}
