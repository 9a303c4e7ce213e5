import { z } from 'zod'
import type { ChangeRequest } from '../domain/datastore/plan-change.ts'
import { email } from './create-datastore.ts'
import { highAvailabilityBody, wantedAvailabilityOf } from './high-availability-body.ts'
import { countOrNone, flagOrNone, listOrNone, textOrNone } from './not-given.ts'

const CODE_LENGTH_MAX = 128
const LIST_LENGTH_MAX = 100

const maintenance = z.object({
  day_of_week: z.int().min(1).max(7).meta({ description: '1 is Monday.' }),
  start_hour: z.int().min(0).max(23).meta({ description: 'In UTC.' }),
  end_hour: z.int().min(0).max(23).meta({ description: 'Two hours after the start.' }),
})

/** Undefined where one client sends null and another nothing. */
const orNone = <T extends z.ZodType>(part: T) => part.nullish().transform((given) => given ?? undefined)

/**
 * `PATCH cluster`, as both public clients send it: one sends all nine members always, with "", 0 or null for what it does
 * not mean. Of the tags alone is an empty list a wish: to have none.
 */
export const changeBody = z.object({
  cluster_name: textOrNone(1000),
  new_volume_size: countOrNone(),
  new_instance_size: textOrNone(CODE_LENGTH_MAX),
  add_nodes: orNone(
    z.object({
      specs: listOrNone(
        z.object({ instance_size: textOrNone(CODE_LENGTH_MAX), availability_zone: textOrNone(CODE_LENGTH_MAX) }),
        LIST_LENGTH_MAX,
      ),
    }),
  ),
  remove_nodes: orNone(z.object({ node_uuids: listOrNone(z.uuid().toLowerCase(), LIST_LENGTH_MAX) })),
  notifications: orNone(z.object({ enabled: flagOrNone(), emails: listOrNone(email, LIST_LENGTH_MAX) })),
  maintenance_settings: orNone(maintenance),
  change_volume: orNone(
    z.object({
      new_volume_type: textOrNone(CODE_LENGTH_MAX),
      new_volume_iops: countOrNone(),
      new_volume_size: countOrNone(),
    }),
  ),
  tags: orNone(z.array(z.string().max(1000)).max(LIST_LENGTH_MAX)),
  high_availability: highAvailabilityBody,
})

/** The part of it that has a path of its own. */
export const maintenanceBody = z.object({ maintenance_settings: maintenance })

type Asked = Partial<z.infer<typeof changeBody>>

const windowOf = ({ day_of_week, start_hour, end_hour }: z.infer<typeof maintenance>) => ({
  dayOfWeek: day_of_week,
  startHour: start_hour,
  endHour: end_hour,
})

const volumeOf = (volume: Asked['change_volume']): ChangeRequest['volume'] => {
  if (volume === undefined) return undefined
  const { new_volume_type: type, new_volume_iops: iops, new_volume_size: sizeGib } = volume
  return type === undefined && iops === undefined && sizeGib === undefined ? undefined : { type, iops, sizeGib }
}

/** In the words of the domain. */
export const changeRequestOf = (asked: Asked): ChangeRequest => ({
  name: asked.cluster_name,
  tags: asked.tags,
  notifications: asked.notifications,
  maintenance: asked.maintenance_settings && windowOf(asked.maintenance_settings),
  volumeSizeGib: asked.new_volume_size,
  instanceSize: asked.new_instance_size,
  volume: volumeOf(asked.change_volume),
  addNodes: (asked.add_nodes?.specs ?? []).map(({ instance_size: instanceSize, availability_zone: zone }) => ({
    instanceSize,
    zone,
  })),
  removeNodes: asked.remove_nodes?.node_uuids ?? [],
  highAvailability: wantedAvailabilityOf(asked.high_availability),
})
