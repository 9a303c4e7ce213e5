import { z } from 'zod'

const instant = z.iso.datetime()

const job = z.object({
  job_id: z.string(),
  type: z.string(),
  user: z.string(),
  status: z.string(),
  text: z.string(),
  messages: z.array(z.string()),
  created_at: instant,
  started_at: instant.nullable(),
  finished_at: instant.nullable(),
  data: z.object({ ClusterUUID: z.string() }),
})

export const adminDatastore = z.object({
  id: z.string(),
  status: z.string(),
  status_text: z.string(),
  cloud_provider: z.string(),
  type: z.string(),
  name: z.string(),
  user_login: z.string(),
  internal_id: z.int(),
  size: z.int(),
  created_at: instant,
  current_job: z.union([job, z.object({})]),
})

export const adminNode = z.object({
  unique_id: z.int(),
  hostname: z.string(),
  host_status: z.string(),
  role: z.string(),
  version: z.string(),
  host: z
    .object({
      id: z.string(),
      cluster_id: z.string(),
      instance_id: z.string(),
      instance_type: z.string(),
      az: z.string(),
      cloud_provider: z.string(),
    })
    .nullable(),
  node_type: z.string(),
  ip: z.string(),
  last_seen: instant.nullable(),
  service_started_at: instant.nullable(),
})

export type AdminDatastore = z.infer<typeof adminDatastore>
export type AdminNode = z.infer<typeof adminNode>
