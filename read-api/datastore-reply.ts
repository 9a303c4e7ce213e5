import { z } from 'zod'
import { regionReply } from './places.ts'
import { upgradeReply } from './upgrade-reply.ts'

const instant = z.iso.datetime()

const account = z.object({
  database_username: z.string(),
  database_password: z.string().nullable().meta({ description: 'Only of a single datastore, once it is deployed.' }),
  database_host: z.string().nullable(),
  database_database: z.string(),
  database_privileges: z.string().nullable(),
})

const currentJob = z.object({
  uuid: z.string(),
  cluster_uuid: z.string(),
  command: z.string(),
  status: z.string(),
  progress: z.int(),
  created_at: instant,
})

export const datastoreReply = z.object({
  uuid: z.string(),
  cluster_name: z.string(),
  cluster_status: z.enum(['DEPLOYING', 'STARTED', 'DEGRADED', 'FAILURE', 'STOPPED', 'DEPLOY_FAILED', 'DELETING']).meta({
    description: '`DEGRADED`: writes are taken, and a node is lost. `FAILURE`: no writes are taken.',
  }),
  cluster_status_text: z.string(),
  cluster_type: z.string(),
  cluster_type_name: z.string(),
  cluster_size: z.int(),
  database_vendor: z.string(),
  database_version: z.string(),
  database_endpoint: z.string().nullable(),
  cloud_provider: z.string(),
  region: regionReply,
  instance_size: z.string(),
  disk_size: z.int(),
  disk_type: z.string(),
  iops: z.int().nullable(),
  operable: z.boolean(),
  not_operable_reason: z.string(),
  ssl_enabled: z.boolean(),
  high_availability: z.boolean(),
  tags: z.array(z.string()),
  azs: z.array(z.string()),
  is_deploying: z.boolean(),
  deploy_progress: z.int().min(0).max(100),
  created_at: instant,
  updated_at: instant,
  db_account: account,
  primary_url: z.string().nullable().meta({ description: 'A bare host name; the port is that of the node.' }),
  replica_url: z.string().nullable().meta({ description: 'A bare host name, where there are replicas.' }),
  vpc: z.null(),
  maintenance_settings: z.object({ day_of_week: z.int(), start_hour: z.int(), end_hour: z.int() }),
  notifications: z.object({ enabled: z.boolean(), emails: z.array(z.string()) }),
  parameter_group_id: z.uuid().nullable(),
  current_job: currentJob.nullable(),
  is_ca_available: z.boolean(),
  high_availability_settings: z
    .object({
      synchronous: z.boolean(),
      prefer: z.enum(['consistency', 'availability']),
      repair_after_seconds: z.int(),
      lag_max_bytes: z.int(),
      max_failovers_per_hour: z.int(),
    })
    .meta({ description: 'What is done when a node is lost: `high_availability` of a request, which is another thing here.' }),
})

export type DatastoreReply = z.infer<typeof datastoreReply>

/** The same with what is said of it at this moment, by the catalogue of today. */
export const datastoreNowReply = datastoreReply.extend(upgradeReply.shape)

/** In one shape for those who name an owner, in another for those who do not. */
export const datastoresReply = z.union([
  z.object({
    pagination: z.object({ page: z.int(), per_page: z.int(), total: z.int() }),
    data_stores: z.array(datastoreNowReply),
  }),
  z.object({ total: z.int(), datastores: z.array(datastoreNowReply) }),
])
