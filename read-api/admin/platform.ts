import { z } from 'zod'
import { type Endpoint, endpoint } from '../../domain/kernel/endpoint.ts'

/** The call that tells which controller is at work. */
export const controllerVersion = (version: string): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/admin/cmon/version',
    summary: 'The version of the controller',
    tag: 'Administration',
    access: 'admin',
    replies: { 200: { description: 'That of this release.', schema: z.object({ cmon_version: z.string() }) } },
    handle: async () => ({ status: 200, body: { cmon_version: version } }),
  })
