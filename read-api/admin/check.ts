import { z } from 'zod'
import { type Endpoint, endpoint } from '../../domain/kernel/endpoint.ts'

/** Tells the machine account of operators that its credentials hold. */
export const adminCheck: Endpoint = endpoint({
  method: 'GET',
  path: '/api/admin/check',
  summary: 'Whether the credentials of the machine account hold',
  tag: 'Operators',
  access: 'basic',
  replies: { 200: { description: 'They do.', schema: z.object({ success: z.literal(true) }) } },
  handle: async () => ({ status: 200, body: { success: true } }),
})
