import type { Catalogue, Cloud, Region, Vendor, VolumeType } from '../catalogue/catalogue.ts'
import { vendorNamed } from '../catalogue/catalogue.ts'
import { type Rejection, reject } from '../kernel/decider.ts'
import type { Instance } from '../job/orders.ts'
import { planFirstAvailability, type WantedAvailability } from './plan-availability.ts'
import { autoscaleOf } from './plan-volume.ts'
import type { DatastoreSpec, NodePlan, Wording } from './spec.ts'

/** What a tenant may say when he asks for a datastore; an absent part is for the catalogue to choose. */
export type DatastoreRequest = {
  readonly name: string
  readonly size: number
  readonly vendor: string
  readonly version?: string | undefined
  readonly type?: string | undefined
  readonly tags: readonly string[]
  readonly cloud: string
  readonly region: string
  readonly instanceSize: string
  readonly volumeType?: string | undefined
  readonly volumeSizeGib?: number | undefined
  readonly volumeIops?: number | undefined
  readonly networkType: 'public' | 'private'
  readonly haEnabled: boolean
  readonly vpcId?: string | undefined
  readonly zones: readonly string[]
  readonly notifications: { readonly enabled: boolean; readonly emails: readonly string[] }
  readonly highAvailability?: WantedAvailability | undefined
}

/** What the asking brings along, since the domain has no ids and no settings of its own. */
export type PlanContext = {
  readonly ownerId: string
  readonly networkId: string
  /** At least as many as there can be nodes. */
  readonly nodes: readonly { readonly nodeId: string; readonly name: string }[]
  readonly domain: string
  readonly ttlSeconds: number
}

/** A specification whose words are not sealed yet. */
export type Plan = Omit<DatastoreSpec, keyof Wording<string>> & Wording<string>

export type PlanRejection = 'not-offered' | 'out-of-range' | 'malformed-name' | 'malformed-tags'

type Refused = Rejection<PlanRejection>
const isRefused = (part: object): part is Refused => 'rejected' in part

/**
 * Turns a request into a specification: everything the tenant left open is chosen, everything that is not offered is refused.
 *
 * @returns the specification, or a refusal that names the field and the rule
 */
export const plan = (catalogue: Catalogue, request: DatastoreRequest, context: PlanContext): Plan | Refused => {
  const naming = planNaming(catalogue, request)
  if (isRefused(naming)) return naming
  const database = planDatabase(catalogue, request)
  if (isRefused(database)) return database
  const place = planPlace(catalogue, request)
  if (isRefused(place)) return place
  const planned = planVolume(place.cloud, request)
  if (isRefused(planned)) return planned
  const nodes = planNodes(place.region, request, place.instance, context)
  if (isRefused(nodes)) return nodes
  const chosen = request.highAvailability && planFirstAvailability(request.highAvailability, nodes.length)
  if (chosen !== undefined && isRefused(chosen)) return chosen
  const { vendor, version, type } = database
  return {
    ...naming,
    ownerId: context.ownerId,
    vendor: vendor.code,
    engine: vendor.engine,
    version,
    type,
    cloud: place.cloud.code,
    provider: place.cloud.provider,
    region: place.region.code,
    instance: place.instance,
    ...planned,
    network: { networkId: context.networkId, type: request.networkType, haEnabled: request.haEnabled },
    port: vendor.port,
    domain: context.domain,
    ttlSeconds: context.ttlSeconds,
    account: vendor.account,
    notifications: request.notifications,
    maintenance: { dayOfWeek: 1, startHour: 0, endHour: 2 },
    nodes,
    trusted: [],
    ...(chosen === undefined ? {} : { highAvailability: chosen }),
    ...(vendor.exporter === undefined ? {} : { exporterPort: vendor.exporter.port }),
  }
}

const list = (codes: readonly (string | number)[]): string => codes.join(', ')

/** Control characters and halves of characters: what a text column cannot hold or a terminal would obey. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u

const planNaming = ({ limits }: Catalogue, { name, tags }: DatastoreRequest): Pick<Plan, 'name' | 'tags'> | Refused =>
  nameRefusal(limits, name, 'general.cluster_name') ?? tagsRefusal(limits, tags, 'general.tags') ?? { name, tags }

type Limits = Catalogue['limits']

/**
 * Why a datastore cannot go by this name. It is kept as it was given: clients compare what they sent with what they get.
 *
 * @param field what the client calls it
 */
export const nameRefusal = ({ nameLengthMax }: Limits, name: string, field: string): Refused | undefined => {
  if (name.trim() === '' || name.length > nameLengthMax) {
    return reject('malformed-name', `${field} must have 1 to ${nameLengthMax} characters`)
  }
  return UNPRINTABLE.test(name) ? reject('malformed-name', `${field} must not hold control characters`) : undefined
}

/** Why a datastore cannot have these tags. */
export const tagsRefusal = (
  { tagsMax, tagLengthMax }: Limits,
  tags: readonly string[],
  field: string,
): Refused | undefined => {
  if (tags.length > tagsMax) return reject('malformed-tags', `${field} may hold at most ${tagsMax} tags`)
  if (new Set(tags).size < tags.length) return reject('malformed-tags', `${field} must not repeat a tag`)
  if (tags.some((tag) => tag.trim() === '' || tag.length > tagLengthMax)) {
    return reject('malformed-tags', `${field}: each tag must have 1 to ${tagLengthMax} characters`)
  }
  return tags.some((tag) => UNPRINTABLE.test(tag))
    ? reject('malformed-tags', `${field} must not hold control characters`)
    : undefined
}

const planDatabase = (
  catalogue: Catalogue,
  request: DatastoreRequest,
): { readonly vendor: Vendor; readonly version: string; readonly type: string } | Refused => {
  const vendor = vendorNamed(catalogue, request.vendor)
  if (vendor === undefined || !vendor.enabled) {
    const offered = catalogue.vendors.filter(({ enabled }) => enabled).map(({ code }) => code)
    return reject('not-offered', `general.db_vendor must be one of: ${list(offered)}`)
  }
  const wanted = request.version === 'latest' ? undefined : request.version
  const version = wanted ?? vendor.versions.at(-1)
  if (version === undefined || !vendor.versions.includes(version)) {
    return reject('not-offered', `general.db_version must be one of: ${list(vendor.versions)}`)
  }
  const asked = request.type?.toLowerCase() ?? ''
  // A client that knows no type sends nothing, or a name of the vendor in its place.
  const open = asked === '' || vendorNamed(catalogue, asked) === vendor
  const type = vendor.types.find(({ code }) => code.toLowerCase() === asked)?.code ?? (open ? vendor.types[0]?.code : undefined)
  if (type === undefined) {
    return reject('not-offered', `general.cluster_type must be one of: ${list(vendor.types.map(({ code }) => code))}`)
  }
  const sizes = vendor.sizes.filter((size) => size <= catalogue.limits.nodesMax)
  if (!sizes.includes(request.size)) {
    return reject('not-offered', `general.cluster_size must be one of: ${list(sizes)}`)
  }
  return { vendor, version, type }
}

const planPlace = (
  { clouds }: Catalogue,
  request: DatastoreRequest,
): { readonly cloud: Cloud; readonly region: Region; readonly instance: Instance } | Refused => {
  const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()
  const cloud = clouds.find(({ code }) => same(code, request.cloud))
  if (cloud === undefined) {
    return reject('not-offered', `cloud.cloud_provider must be one of: ${list(clouds.map(({ code }) => code))}`)
  }
  const region = cloud.regions.find(({ code }) => same(code, request.region))
  if (region === undefined) {
    return reject('not-offered', `cloud.cloud_region must be one of: ${list(cloud.regions.map(({ code }) => code))}`)
  }
  const size = cloud.instances.find(({ code, type }) => code === request.instanceSize || type === request.instanceSize)
  if (size === undefined) {
    return reject('not-offered', `instance.instance_size must be one of: ${list(cloud.instances.map(({ code }) => code))}`)
  }
  if (request.vpcId !== undefined) return reject('not-offered', `network.vpc_uuid: ${cloud.code} has no VPCs`)
  if (!cloud.networks.some(({ code, enabled }) => code === request.networkType && enabled)) {
    const offered = cloud.networks.filter(({ enabled }) => enabled).map(({ code }) => code)
    return reject('not-offered', `network.network_type must be one of: ${list(offered)}`)
  }
  return { cloud, region, instance: { code: size.code, cpu: size.cpu, ramGb: size.ramGb } }
}

const planVolume = (
  { volumes, code }: Cloud,
  request: DatastoreRequest,
): Pick<Required<Plan>, 'volume' | 'autoscale'> | Refused => {
  const volume: VolumeType | undefined =
    request.volumeType === undefined ? volumes[0] : volumes.find((type) => type.code === request.volumeType)
  if (volume === undefined) {
    return volumes.length === 0
      ? reject('not-offered', `instance.volume_type: ${code} has no volumes`)
      : reject('not-offered', `instance.volume_type must be one of: ${list(volumes.map((type) => type.code))}`)
  }
  const { min, max } = volume.sizeGib
  const sizeGib = request.volumeSizeGib ?? volume.sizeGib.default
  if (!within(sizeGib, { min, max })) {
    return reject('out-of-range', `instance.volume_size must be between ${min} and ${max} GiB`)
  }
  const asked = request.volumeIops
  // Not asked for stays unsaid: the provider's default applies, and a client is shown nothing that it did not ask for.
  const autoscale = autoscaleOf(volume)
  if (asked === undefined) return { volume: { type: volume.code, sizeGib, iops: null }, autoscale }
  if (volume.iops === null) return reject('not-offered', `instance.volume_iops cannot be chosen for ${volume.code}`)
  return within(asked, volume.iops)
    ? { volume: { type: volume.code, sizeGib, iops: asked }, autoscale }
    : reject('out-of-range', `instance.volume_iops must be between ${volume.iops.min} and ${volume.iops.max}`)
}

/** Asked this way round because every comparison with NaN is false. */
const within = (value: number, { min, max }: { readonly min: number; readonly max: number }): boolean =>
  value >= min && value <= max

/** Zones as asked for, one for each node, else spread evenly over the region. */
const planNodes = (
  { zones, code: region }: Region,
  request: DatastoreRequest,
  instance: Instance,
  { nodes }: PlanContext,
): readonly NodePlan[] | Refused => {
  if (nodes.length < request.size) throw new Error('BUG: the planner was given fewer node ids than it needs')
  const offered = zones.map(({ code }) => code)
  if (offered.length === 0) return reject('not-offered', `cloud.cloud_region: ${region} has no availability zones`)
  const unknown = request.zones.find((zone) => !offered.includes(zone))
  if (unknown !== undefined) {
    return reject('not-offered', `network.availability_zones must be among: ${list(offered)}`)
  }
  if (request.zones.length > 0 && request.zones.length !== request.size) {
    return reject('not-offered', 'network.availability_zones must name one zone for each node, or none at all')
  }
  const wanted = request.zones.length > 0 ? request.zones : offered
  return nodes.slice(0, request.size).map(({ nodeId, name }, index) => ({
    nodeId,
    name,
    zone: wanted[index % wanted.length] ?? '',
    instance,
  }))
}
