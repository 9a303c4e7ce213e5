import { z } from 'zod'
import { regionReply } from './places.ts'

export const nodeReply = z.object({
  host_uuid: z.string(),
  cluster_uuid: z.string(),
  created_at: z.iso.datetime(),
  cloud_provider: z.string(),
  host_az: z.string(),
  instance_type: z.string(),
  disk_type: z.string(),
  disk_size: z.int(),
  role: z.enum(['primary', 'replica']).nullable(),
  port: z.int(),
  region: regionReply,
  hostname: z.string(),
  fqdn: z.string(),
  host_status: z.enum(['CmonHostUnknown', 'CmonHostOnline', 'CmonHostOffLine', 'CmonHostRecovery']).meta({
    description: '`CmonHostOffLine`: the node is lost; `CmonHostRecovery`: a job brings it back.',
  }),
  private_ip: z.string().nullable(),
  public_ip: z.string().nullable(),
  readonly: z.boolean(),
})

export const nodesReply = z.object({
  uuid: z.string(),
  database_nodes: z.array(nodeReply),
  load_balancer_nodes: z.array(nodeReply),
})
