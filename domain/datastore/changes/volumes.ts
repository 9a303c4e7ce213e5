import { reject } from '../../kernel/decider.ts'
import type { DatastoreSpec } from '../spec.ts'
import type { Rule } from './rule.ts'

export type GrowVolumes = {
  /** What each volume is to hold. */
  readonly sizeGib: number
  /** The most that one may hold: what the catalogue offers, or what a tenant allows the system. */
  readonly sizeGibMax: number
  /** Why the system asks for it; absent where a tenant does. */
  readonly because?: string
}
export type ChangeVolumeType = {
  readonly volume: DatastoreSpec['volume']
  readonly sizeGibMax: number
}

/** A volume only ever grows: what lies at its end cannot be moved while it is used. */
export const growVolumes: Rule<GrowVolumes, 'volume-cannot-shrink' | 'volume-limit-reached'> = {
  changed: ({ spec, nodes }, { sizeGib }) => ({ spec: { ...spec, volume: { ...spec.volume, sizeGib } }, nodes }),
  refusal: ({ spec: { volume } }, { sizeGib, sizeGibMax }) => {
    if (sizeGib <= volume.sizeGib) return notLarger('new_volume_size', volume.sizeGib)
    return sizeGib > sizeGibMax ? tooLarge('new_volume_size', sizeGibMax) : undefined
  },
}

/** Another kind of volume, and with it perhaps a larger one; the data stay where they are. */
export const changeVolumeType: Rule<ChangeVolumeType, 'volume-cannot-shrink' | 'volume-limit-reached' | 'not-offered'> = {
  changed: ({ spec, nodes }, { volume, sizeGibMax }) => {
    const { autoscale } = spec
    const capped = autoscale && { autoscale: { ...autoscale, maxGib: Math.min(autoscale.maxGib, sizeGibMax) } }
    return { spec: { ...spec, volume, ...capped }, nodes }
  },
  refusal: ({ spec }, { volume, sizeGibMax }) => {
    const { type, iops, sizeGib } = spec.volume
    if (volume.sizeGib < sizeGib) return notLarger('change_volume.new_volume_size', sizeGib)
    if (volume.sizeGib > sizeGibMax) return tooLarge('change_volume.new_volume_size', sizeGibMax)
    return volume.type === type && volume.iops === iops && volume.sizeGib === sizeGib
      ? reject('not-offered', 'change_volume: the volumes are of this kind already')
      : undefined
  },
}

const notLarger = (field: string, sizeGib: number) =>
  reject('volume-cannot-shrink', `${field} must be more than the ${sizeGib} GiB there are; a volume only grows`)

const tooLarge = (field: string, sizeGibMax: number) =>
  reject('volume-limit-reached', `${field} may be at most ${sizeGibMax} GiB`)
