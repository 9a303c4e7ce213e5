import type { Catalogue, VolumeType } from '../catalogue/catalogue.ts'
import { type Rejection, reject } from '../kernel/decider.ts'
import type { ChangeVolumeType } from './changes/volumes.ts'
import type { PlanRejection } from './plan.ts'
import type { Planner } from './plan-change.ts'
import type { Autoscale, DatastoreSpec } from './spec.ts'

type Refused = Rejection<PlanRejection>
type Volume = DatastoreSpec['volume']

/** What no catalogue goes beyond: a larger one is not copied to a new node in time (10 TiB). */
const GIB_MAX = 10_240

const mostOf = ({ sizeGib }: Pick<VolumeType, 'sizeGib'>): number => Math.min(sizeGib.max, GIB_MAX)

const THRESHOLD_PERCENT = { min: 50, max: 95, default: 75 } as const
const STEP_PERCENT = { min: 5, max: 100, default: 20 } as const

/** How a datastore's volumes grow unless its tenant says otherwise. */
export const autoscaleOf = (type: Pick<VolumeType, 'sizeGib'>): Autoscale => ({
  enabled: true,
  thresholdPercent: THRESHOLD_PERCENT.default,
  stepPercent: STEP_PERCENT.default,
  maxGib: mostOf(type),
})

/** What a tenant says of it; what he leaves open is as it was, or as it is for a new datastore. */
export type WantedAutoscale = { readonly [K in keyof Autoscale]?: Autoscale[K] | undefined }

/**
 * Resolves what a tenant says of the growing of his volumes.
 *
 * @param spec the datastore as it is
 * @returns all of it, or a refusal that names the field
 */
export const planAutoscale = (
  { clouds }: Catalogue,
  { cloud: code, volume, autoscale: set }: Pick<DatastoreSpec, 'cloud' | 'volume' | 'autoscale'>,
  wanted: WantedAutoscale,
): Autoscale | Refused => {
  const type = clouds.find((cloud) => cloud.code === code)?.volumes.find((one) => one.code === volume.type)
  // What is not offered any more does not grow beyond what it is.
  const base = set ?? autoscaleOf(type ?? { sizeGib: { min: 1, max: volume.sizeGib, default: 1 } })
  const max = type === undefined ? volume.sizeGib : mostOf(type)
  const {
    enabled = base.enabled, thresholdPercent = base.thresholdPercent, stepPercent = base.stepPercent,
    maxGib = Math.min(base.maxGib, max),
  } = wanted
  return (
    outside('threshold_percent', thresholdPercent, THRESHOLD_PERCENT) ??
    outside('step_percent', stepPercent, STEP_PERCENT) ??
    outside('max_gib', maxGib, { min: 1, max }) ?? { enabled, thresholdPercent, stepPercent, maxGib }
  )
}

/** The size there is already is no change: a client may repeat what it has set. */
export const planVolumeSize: Planner = ({ volumeSizeGib: sizeGib }, { catalogue, shape: { spec } }) => {
  if (sizeGib === undefined || sizeGib === spec.volume.sizeGib) return undefined
  const type = offeredIn(catalogue, spec).find(({ code }) => code === spec.volume.type)
  if (type === undefined) return reject('not-offered', `new_volume_size: ${spec.volume.type} is not offered any more`)
  const max = mostOf(type)
  return outside('new_volume_size', sizeGib, { min: 1, max }) ?? { kind: 'grow-volumes', sizeGib, sizeGibMax: max }
}

export const planVolumeType: Planner = ({ volume: wanted }, { catalogue, shape: { spec } }) => {
  if (wanted === undefined) return undefined
  const offered = offeredIn(catalogue, spec)
  const code = wanted.type ?? spec.volume.type
  const type = offered.find((one) => one.code === code)
  if (type === undefined) {
    const codes = offered.map((one) => one.code).join(', ')
    return reject('not-offered', `change_volume.new_volume_type must be one of: ${codes}`)
  }
  const sizeGib = wanted.sizeGib ?? spec.volume.sizeGib
  const iops = speedOf(type, wanted.iops, spec.volume)
  if (typeof iops === 'object' && iops !== null) return iops
  const { min } = type.sizeGib
  const max = mostOf(type)
  const refusal = outside('change_volume.new_volume_size', sizeGib, { min, max })
  if (refusal !== undefined) return refusal
  const volume: ChangeVolumeType['volume'] = { type: code, sizeGib, iops }
  const { volume: now } = spec
  return now.type === code && now.sizeGib === sizeGib && now.iops === iops
    ? undefined
    : { kind: 'change-volume-type', volume, sizeGibMax: max }
}

const offeredIn = ({ clouds }: Catalogue, { cloud: code }: Pick<DatastoreSpec, 'cloud'>): readonly VolumeType[] =>
  clouds.find((cloud) => cloud.code === code)?.volumes ?? []

/** Unless he says, a volume keeps its speed where the new kind can have it. */
const speedOf = ({ code, iops: offered }: VolumeType, wanted: number | undefined, now: Volume): number | null | Refused => {
  if (offered === null) {
    return wanted === undefined
      ? null
      : reject('not-offered', `change_volume.new_volume_iops cannot be chosen for ${code}`)
  }
  if (wanted !== undefined) return outside('change_volume.new_volume_iops', wanted, offered) ?? wanted
  return now.iops !== null && now.iops >= offered.min && now.iops <= offered.max ? now.iops : null
}

type Bounds = { readonly min: number; readonly max: number }

/** Asked this way round because every comparison with NaN is false. */
const outside = (field: string, value: number, { min, max }: Bounds): Refused | undefined =>
  value >= min && value <= max ? undefined : reject('out-of-range', `${field} must be between ${min} and ${max}`)
