import { z } from 'zod'
import type { DatastoreRequest, Plan } from '../domain/datastore/plan.ts'
import type { Wording } from '../domain/datastore/spec.ts'
import type { PersonalData, Sealed } from '../domain/kernel/sealed.ts'
import { highAvailabilityBody, wantedAvailabilityOf } from './high-availability-body.ts'
import { countOrNone, flagOrNone, listOrNone, textOrNone } from './not-given.ts'

const CODE_LENGTH_MAX = 128
const LIST_LENGTH_MAX = 100

const code = z.string().max(CODE_LENGTH_MAX)
/** An e-mail address as far as it can be told without writing to it. */
export const email = z
  .string()
  .max(254)
  .regex(/^[^\s@]+@[^\s@]+$/, 'must be an e-mail address')

const noNotifications = { enabled: false, emails: [] }
const openNetwork = {
  network_type: 'public',
  ha_enabled: false,
  vpc_uuid: undefined,
  availability_zones: [],
} as const

/** `POST cluster`, as both public clients send it. */
export const createBody = z.object({
  general: z.object({
    cluster_name: z.string().max(1000),
    cluster_size: z.int(),
    db_vendor: code,
    db_version: textOrNone(CODE_LENGTH_MAX),
    cluster_type: textOrNone(CODE_LENGTH_MAX),
    tags: listOrNone(z.string().max(1000), LIST_LENGTH_MAX),
  }),
  cloud: z.object({ cloud_provider: code, cloud_region: code }),
  instance: z.object({
    instance_size: code,
    volume_type: textOrNone(CODE_LENGTH_MAX),
    volume_size: countOrNone(),
    volume_iops: countOrNone(),
  }),
  network: z
    .object({
      network_type: z
        .enum(['public', 'private', ''])
        .nullish()
        .transform((type) => (type === 'private' ? type : 'public')),
      ha_enabled: flagOrNone(),
      vpc_uuid: textOrNone(CODE_LENGTH_MAX),
      availability_zones: listOrNone(code, LIST_LENGTH_MAX),
    })
    .nullish()
    .transform((network) => network ?? openNetwork),
  notifications: z
    .object({ enabled: flagOrNone(), emails: listOrNone(email, LIST_LENGTH_MAX) })
    .nullish()
    .transform((notifications) => notifications ?? noNotifications),
  high_availability: highAvailabilityBody,
})

/** In the words of the domain. */
export const requestOf = ({
  general,
  cloud,
  instance,
  network,
  notifications,
  high_availability: highAvailability,
}: z.infer<typeof createBody>): DatastoreRequest => ({
  name: general.cluster_name,
  size: general.cluster_size,
  vendor: general.db_vendor,
  version: general.db_version,
  type: general.cluster_type,
  tags: general.tags,
  cloud: cloud.cloud_provider,
  region: cloud.cloud_region,
  instanceSize: instance.instance_size,
  volumeType: instance.volume_type,
  volumeSizeGib: instance.volume_size,
  volumeIops: instance.volume_iops,
  networkType: network.network_type,
  haEnabled: network.ha_enabled,
  vpcId: network.vpc_uuid,
  zones: network.availability_zones,
  notifications,
  highAvailability: wantedAvailabilityOf(highAvailability),
})

/**
 * The answer; `region` is text here, though an object wherever a datastore is read, and one client takes nothing else.
 */
export const createdBody = z.object({
  uuid: z.uuid(),
  cluster_uuid: z.uuid(),
  cluster_name: z.string(),
  cluster_type: z.string(),
  region: z.string(),
  cloud_provider: z.string(),
  cluster_size: z.int(),
  database_vendor: z.string(),
  database_version: z.string(),
  instance_size: z.string(),
  cluster_instance_disk_type: z.string().nullable(),
  iops: z.int().nullable(),
  disk_size: z.int().nullable(),
  high_availability: z.boolean(),
  vpc_uuid: z.uuid().nullable(),
  tags: z.array(z.string()),
  azs: z.array(z.string()),
})

export const createdOf = (datastoreId: string, spec: Plan): z.infer<typeof createdBody> => ({
  uuid: datastoreId,
  cluster_uuid: datastoreId,
  cluster_name: spec.name,
  cluster_type: spec.type,
  region: spec.region,
  cloud_provider: spec.cloud,
  cluster_size: spec.nodes.length,
  database_vendor: spec.vendor,
  database_version: spec.version,
  instance_size: spec.instance.code,
  cluster_instance_disk_type: spec.volume.type,
  iops: spec.volume.iops,
  disk_size: spec.volume.sizeGib,
  high_availability: spec.network.haEnabled,
  vpc_uuid: null,
  tags: [...spec.tags],
  azs: spec.nodes.map(({ zone }) => zone),
})

/** The tenant's own words, sealed under his key. */
export const sealedWording = async (
  seal: PersonalData['seal'],
  { ownerId, name, tags, notifications: { enabled, emails } }: Plan,
): Promise<Wording<Sealed>> => {
  const all = (texts: readonly string[]): Promise<readonly Sealed[]> =>
    Promise.all(texts.map((text) => seal(ownerId, text)))
  return {
    name: await seal(ownerId, name),
    tags: await all(tags),
    notifications: { enabled, emails: await all(emails) },
  }
}
