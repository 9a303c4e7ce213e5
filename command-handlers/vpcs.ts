import { z } from 'zod'
import type { Catalogue } from '../domain/catalogue/catalogue.ts'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'

const PATH = '/api/vpc/api/v2/vpcs'
const tag = 'Networks'
const params = z.object({ id: z.uuid().toLowerCase() })
const body = z.object({
  name: z.string().min(1).max(64),
  cloudspace: z.string().nullish(),
  cloud: z.string(),
  region: z.string(),
  cidr_ipv4_block: z.cidrv4(),
})
const vpc = z.object({
  vpc: z.object({
    id: z.uuid(),
    name: z.string(),
    cloudspace: z.string(),
    cloud: z.string(),
    region: z.string(),
    cidr_ipv4_block: z.string(),
  }),
})

/**
 * The calls about private networks of a tenant's own. No provider makes such networks: each datastore has one of its own. So
 * there is none to read or to delete, and a client that asks for one is told why not.
 */
export const vpcEndpoints = ({ clouds }: Pick<Catalogue, 'clouds'>): readonly Endpoint[] => [
  endpoint({
    method: 'POST',
    path: PATH,
    summary: 'Ask for a private network',
    tag,
    access: 'user',
    body,
    replies: { 201: { description: 'The network; no cloud here offers one.', schema: vpc } },
    handle: async ({ body: { cloud } }) => {
      const codes = clouds.map(({ code }) => code)
      const because = codes.includes(cloud)
        ? `cloud: ${cloud} offers no private networks of a tenant's own`
        : `cloud must be one of: ${codes.join(', ')}`
      throw new Refused({ rejected: 'not-offered', because })
    },
  }),
  ...(['GET', 'DELETE'] as const).map((method) =>
    endpoint({
      method,
      path: `${PATH}/:id`,
      summary: method === 'GET' ? 'Read a private network' : 'Delete a private network',
      tag,
      access: 'user',
      params,
      replies: method === 'GET'
        ? { 200: { description: 'The network.', schema: vpc } }
        : { 202: { description: 'It is being deleted.', schema: z.object({}) } },
      handle: async ({ params: { id } }) => {
        throw new Refused({ rejected: 'not-found', because: `there is no private network ${id}` })
      },
    }),
  ),
]

const counts = z.object({
  region: z.string(),
  aws_num_vpcs: z.int(),
  ccx_num_vpcs: z.int(),
  aws_vpc_ids: z.array(z.string()),
  ccx_vpc_ids: z.array(z.string()),
  aws_dangling_vpc_ids: z.array(z.string()),
  ccx_dangling_vpc_ids: z.array(z.string()),
})

/** How many private networks there are, in the words of the operators' clients: none. */
export const adminVpcs = (): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/admin/vpcs/:region/all',
    summary: 'How many private networks of tenants a region has',
    tag: 'Administration',
    access: 'basic',
    params: z.object({ region: z.string().min(1).max(64) }),
    replies: { 200: { description: 'There are none here.', schema: counts } },
    handle: async ({ params: { region } }) => ({
      status: 200,
      body: {
        region,
        aws_num_vpcs: 0,
        ccx_num_vpcs: 0,
        aws_vpc_ids: [],
        ccx_vpc_ids: [],
        aws_dangling_vpc_ids: [],
        ccx_dangling_vpc_ids: [],
      },
    }),
  })
