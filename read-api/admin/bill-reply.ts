import { z } from 'zod'
import { type Bill, billOf, livesIn, type Usage, type Window } from '../../domain/usage/bill.ts'
import { type Cell, csvLine } from '../csv.ts'

const instant = z.iso.datetime()
const events = z.array(z.string()).meta({ description: 'The ids of the events that this line comes from.' })

const billed = z.object({
  datastore: z.string(),
  created_at: instant,
  deleted_at: instant.nullable().meta({ description: 'When its deletion was asked for, if that was in the time asked about.' }),
  customer_id: z.string(),
  customer_reference: z.string().exactOptional(),
  type: z.string(),
  nodes_count: z.int(),
  vendor: z.string(),
  instances_types_usage: z.array(z.object({ instances_type: z.string(), hours: z.number(), events })),
  volumes_types_usage: z.array(
    z.object({
      volume_type: z.string(),
      iops: z.number(),
      iops_per_hour: z.number(),
      gib_per_hours: z.number(),
      average_gib: z.number(),
      events,
    }),
  ),
  network_egress_usage_gib: z.number(),
  backups: z.object({ taken: z.int(), taken_size_gib: z.number(), removed: z.int(), removed_size_gib: z.number() }),
})

export const billReply = z.object({ datastores: z.array(billed), from: instant.nullable(), to: instant.nullable() })
export type BillReply = z.infer<typeof billReply>

/** A datastore's use, and how its owner calls himself, where he came from another system. */
export type Charged = Usage & { readonly reference?: string | undefined }

const NO_BACKUPS = { taken: 0, taken_size_gib: 0, removed: 0, removed_size_gib: 0 } as const

const billedOf = ({ datastoreId, ownerId, createdAt, vendor, type, reference }: Charged, bill: Bill) => ({
  datastore: datastoreId,
  created_at: createdAt,
  deleted_at: bill.deletedAt,
  customer_id: ownerId,
  ...(reference === undefined ? {} : { customer_reference: reference }),
  type,
  nodes_count: bill.nodes,
  vendor,
  instances_types_usage: bill.instances.map(({ code, hours, events: from }) => ({
    instances_type: code, hours, events: [...from],
  })),
  volumes_types_usage: bill.volumes.map((volume) => ({
    volume_type: volume.type,
    iops: volume.iops,
    iops_per_hour: volume.iopsHours,
    gib_per_hours: volume.gibHours,
    average_gib: volume.averageGib,
    events: [...volume.events],
  })),
  network_egress_usage_gib: 0,
  backups: NO_BACKUPS,
})

export type Asked = Window & {
  /** Null where the client did not say. */
  readonly from: string | null
  readonly to: string | null
  readonly now: string
}

const earliest = (instants: readonly string[]): string | undefined => instants.toSorted()[0]

/**
 * What everybody used in a window of time, oldest datastore first. Of a window that is over it is always the same.
 *
 * @param asked.from when the window begins, and `to` when it ends, as the client has said
 */
export const billReplyOf = (usages: readonly Charged[], asked: Asked): BillReply => {
  const bills = usages
    .filter((usage) => livesIn(usage, asked))
    .toSorted((a, b) => (`${a.createdAt} ${a.datastoreId}` < `${b.createdAt} ${b.datastoreId}` ? -1 : 1))
    .map((usage) => billedOf(usage, billOf(usage, asked)))
  const first = earliest(bills.map(({ created_at }) => created_at))
  const alive = bills.some(({ deleted_at }) => deleted_at === null)
  const last = bills.flatMap(({ deleted_at }) => deleted_at ?? []).toSorted().at(-1)
  return {
    datastores: bills,
    from: first === undefined || (asked.from !== null && first < asked.from) ? asked.from : first,
    to: alive || last === undefined ? (asked.to ?? asked.now) : last,
  }
}

type Row = BillReply['datastores'][number]

const sum = (numbers: readonly number[]): number => Math.round(numbers.reduce((all, one) => all + one, 0) * 1e6) / 1e6

const COLUMNS: Readonly<Record<string, (row: Row) => Cell>> = {
  'Datastore': ({ datastore }) => datastore,
  'Customer ID': ({ customer_id }) => customer_id,
  'Customer Reference': ({ customer_reference }) => customer_reference ?? null,
  'Created At': ({ created_at }) => created_at,
  'Deleted At': ({ deleted_at }) => deleted_at,
  'Type': ({ type }) => type,
  'Vendor': ({ vendor }) => vendor,
  'Nodes': ({ nodes_count }) => nodes_count,
  'Instance Types': (row) => row.instances_types_usage.map((one) => `${one.instances_type}: ${one.hours} h`).join('; '),
  'Instance Hours': (row) => sum(row.instances_types_usage.map(({ hours }) => hours)),
  'Volume Types': (row) => row.volumes_types_usage.map((one) => `${one.volume_type}: ${one.gib_per_hours} GiB h`).join('; '),
  'GiB Hours': (row) => sum(row.volumes_types_usage.map(({ gib_per_hours }) => gib_per_hours)),
  'IOPS Hours': (row) => sum(row.volumes_types_usage.map(({ iops_per_hour }) => iops_per_hour)),
  'Network Egress GiB': ({ network_egress_usage_gib }) => network_egress_usage_gib,
  'Backups Taken': ({ backups }) => backups.taken,
  'Backups Taken GiB': ({ backups }) => backups.taken_size_gib,
  'Backups Removed': ({ backups }) => backups.removed,
  'Backups Removed GiB': ({ backups }) => backups.removed_size_gib,
}

/** The same as a table, one line for each datastore. */
export const billCsv = ({ datastores }: BillReply): readonly string[] => [
  csvLine(Object.keys(COLUMNS)),
  ...datastores.map((row) => csvLine(Object.values(COLUMNS).map((column) => column(row)))),
]
