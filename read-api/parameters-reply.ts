import { z } from 'zod'

const instant = z.iso.datetime()

const status = z.enum(['synced', 'pending', 'failed']).meta({
  description: '`pending`: a job is to apply them, or the group has changed and was not synced since.',
})

const group = z.object({
  uuid: z.uuid(),
  name: z.string(),
  description: z.string(),
  database_vendor: z.string(),
  database_version: z.string(),
  database_type: z.string(),
  created_at: instant,
  updated_at: instant,
  datastores: z.array(z.object({ uuid: z.uuid(), name: z.string(), status, error: z.string() })),
})

export const groupReply = group.extend({ db_parameters: z.record(z.string(), z.string()) })

export const groupsReply = z.object({
  pagination: z.object({ page: z.int(), page_size: z.int(), total: z.int() }),
  parameter_groups: z.array(group),
})

const definition = z.object({
  description: z.string(),
  type: z.enum(['text', 'number', 'boolean', 'select']),
  default_value: z.string(),
  validation_options: z.string().meta({ description: 'Such as `min=0,max=10`.' }),
  allowed_values: z.array(z.string()),
  unit: z.string().nullable().meta({ description: 'What a number counts.' }),
  needs_restart: z.boolean(),
})

export const defaultsReply = z.object({ parameters: z.record(z.string(), definition) })

export const storeReply = z.object({
  parameters: z.record(z.string(), definition.extend({ value: z.string() })),
  parameter_group_id: z.uuid().nullable(),
  status,
  error: z.string().meta({ description: 'Why the last ones could not be applied; else empty.' }),
  updated_at: instant,
})
