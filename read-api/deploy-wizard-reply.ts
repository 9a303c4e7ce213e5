import { z } from 'zod'

const text = z.string()
const byCloud = <T extends z.ZodType>(of: T) => z.record(z.string(), of)
const coded = z.object({ code: text, name: text })
const range = z.object({ min: z.int(), max: z.int(), default: z.int() })

const vendor = z.object({
  name: text,
  code: text,
  version: text.meta({ description: 'The one that is taken when none is asked for.' }),
  versions: z.array(text).meta({ description: 'Oldest to newest.' }),
  num_nodes: z.array(z.int()),
  info: text,
  enabled: z.boolean(),
  beta: z.boolean(),
  types: z.array(coded.extend({ size_hints: z.record(text, z.object({ name: text, info: text })) })),
})

const region = coded.extend({ display_code: text, country_code: text, continent_code: text, city: text })

const cloudProvider = coded.extend({ full_name: text, type: text, logo: text, group: text, regions: z.array(region) })

const instanceSize = coded.extend({
  type: text,
  cpu: z.number(),
  ram: z.number(),
  disk_size: z.int(),
  price: z.number(),
})

const volumeType = coded.extend({ has_iops: z.boolean(), info: text, price: z.number(), iops_price: z.number() })

const network = coded.extend({
  info: text,
  enabled: z.boolean(),
  ha_available: z.record(text, z.boolean()),
  vpc_available: z.boolean(),
  prices: z.record(text, z.number()),
})

/** What can be deployed. Keys under a cloud's code are exactly that code. */
export const deployWizardReply = z.object({
  database: z.object({ vendors: z.array(vendor), deployment_types_info: text, num_nodes_info: text }),
  cloud: z.object({
    cloud_providers: z.array(cloudProvider),
    cloud_groups: z.array(z.object({ name: text, label: text, logo: text })),
  }),
  instance: z.object({
    instance_sizes: byCloud(z.array(instanceSize)),
    instance_sizes_info: text,
    volume_types: byCloud(z.array(volumeType)),
    volume_types_info: text,
    volume_sizes: byCloud(z.record(text, range.extend({ unit: z.literal('GiB') }))),
    volume_sizes_info: text,
    volume_iops: byCloud(z.record(text, range)),
    volume_iops_info: text,
  }),
  network: z.object({
    network: byCloud(z.array(network)),
    network_info: byCloud(text),
    type_info: z.record(text, text),
    vpc_info: z.record(text, text),
    availability_zones: byCloud(z.record(text, z.array(coded))),
  }),
})

export type DeployWizardReply = z.infer<typeof deployWizardReply>
