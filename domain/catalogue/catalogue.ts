import type { Parameter } from './parameters.ts'

/** What this installation offers: read from one file by an adapter, given to the domain as data. */
export type Catalogue = {
  readonly vendors: readonly Vendor[]
  readonly clouds: readonly Cloud[]
  readonly limits: {
    readonly nodesMax: number
    readonly nameLengthMax: number
    readonly tagsMax: number
    readonly tagLengthMax: number
  }
}

export type Vendor = {
  /** The code clients use, e.g. in `db_vendor`. */
  readonly code: string
  readonly aliases: readonly string[]
  readonly name: string
  readonly info: string
  readonly engine: string
  readonly enabled: boolean
  readonly beta: boolean
  /** Oldest to newest; the last is the default. */
  readonly versions: readonly string[]
  readonly types: readonly { readonly code: string; readonly name: string }[]
  /** Node counts that can be asked for. */
  readonly sizes: readonly number[]
  readonly port: number
  /** Where what the engine tells of itself is to be had, and what clients call it. */
  readonly exporter?: { readonly name: string; readonly port: number } | undefined
  readonly account: { readonly username: string; readonly database: string }
  /** What a tenant may set on its servers; absent: nothing. */
  readonly parameters?: readonly Parameter[]
}

export type Cloud = {
  readonly code: string
  readonly name: string
  readonly fullName: string
  readonly group: string
  /** The name of the provider that makes its machines. */
  readonly provider: string
  readonly regions: readonly Region[]
  readonly instances: readonly InstanceSize[]
  readonly volumes: readonly VolumeType[]
  readonly networks: readonly {
    readonly code: 'public' | 'private'
    readonly name: string
    readonly info: string
    readonly enabled: boolean
  }[]
}

export type Region = {
  readonly code: string
  readonly displayCode: string
  readonly name: string
  readonly countryCode: string
  readonly continentCode: string
  readonly city: string
  readonly zones: readonly { readonly code: string; readonly name: string }[]
}

export type InstanceSize = {
  readonly code: string
  /** The cloud's own name for it; clients may give either. */
  readonly type: string
  readonly name: string
  readonly cpu: number
  readonly ramGb: number
  readonly pricePerHour: number
}

export type VolumeType = {
  readonly code: string
  readonly name: string
  readonly info: string
  readonly sizeGib: { readonly min: number; readonly max: number; readonly default: number }
  /** Null where the volume's speed cannot be chosen. */
  readonly iops: { readonly min: number; readonly max: number; readonly default: number } | null
  readonly pricePerGibMonth: number
}

/** The vendor a client means, by code or alias, whatever the case. */
export const vendorNamed = ({ vendors }: Catalogue, name: string): Vendor | undefined => {
  const wanted = name.toLowerCase()
  return vendors.find(({ code, aliases }) => code === wanted || aliases.includes(wanted))
}
