import { z } from 'zod'
import type { Endpoint, Schema } from '../../domain/kernel/endpoint.ts'
import type { JsonObject, JsonValue } from '../../domain/kernel/json.ts'

export type ApiInfo = { readonly title: string; readonly version: string; readonly description: string }

const NOTHING = z.object({})

/** JSON Schema of a schema; an unknown kind of schema allows anything. */
const described = (schema: Schema<unknown> | undefined, io: 'input' | 'output'): JsonObject => {
  if (!(schema instanceof z.ZodType)) return {}
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return z.record(z.string(), z.json()).parse(JSON.parse(JSON.stringify(rest)))
}

const Members = z.object({
  properties: z.record(z.string(), z.json()).default({}),
  required: z.array(z.string()).default([]),
})

const parametersOf = ({ params, query, path }: Endpoint): readonly JsonObject[] => {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name ?? '')
  const of = (schema: Schema<unknown> | undefined) => Members.parse(described(schema ?? NOTHING, 'input'))
  const fromPath = of(params)
  const fromQuery = of(query)
  return [
    ...inPath.map((name) => ({
      name,
      in: 'path',
      required: true,
      schema: fromPath.properties[name] ?? { type: 'string' },
    })),
    ...Object.entries(fromQuery.properties).map(([name, schema]) => ({
      name,
      in: 'query',
      required: fromQuery.required.includes(name),
      schema,
    })),
  ]
}

const isMutating = ({ method, access }: Endpoint): boolean => method !== 'GET' && access !== 'public'

const headersOf = (endpoint: Endpoint): readonly JsonObject[] => [
  ...(endpoint.access === 'user' && endpoint.of === undefined ? [{ $ref: '#/components/parameters/owner' }] : []),
  ...(isMutating(endpoint) ? [{ $ref: '#/components/parameters/idempotencyKey' }] : []),
  ...(endpoint.method === 'GET' ? [{ $ref: '#/components/parameters/position' }] : []),
]

const bodyOf = ({ body, bodyType }: Endpoint): JsonObject => {
  if (body === undefined) return {}
  const type = bodyType === 'form' ? 'application/x-www-form-urlencoded' : 'application/json'
  return { requestBody: { required: true, content: { [type]: { schema: described(body, 'input') } } } }
}

const repliesOf = ({ replies }: Endpoint): JsonObject => ({
  ...Object.fromEntries(
    Object.entries(replies).map(([status, { description, schema, types = ['application/json'] }]) => {
      const content = types.map((type) => [type, { schema: described(schema ?? NOTHING, 'output') }] as const)
      return [status, status === '204' ? { description } : { description, content: Object.fromEntries(content) }]
    }),
  ),
  default: { $ref: '#/components/responses/problem' },
})

const SECURITY: Readonly<Record<Endpoint['access'], readonly JsonObject[]>> = {
  public: [],
  user: [{ session: [] }, { token: [] }],
  admin: [{ session: [] }],
  basic: [{ basic: [] }],
  'admin-or-basic': [{ session: [] }, { basic: [] }],
}

const operationOf = (endpoint: Endpoint): JsonObject => ({
  summary: endpoint.summary,
  tags: [endpoint.tag],
  operationId: `${endpoint.method.toLowerCase()}${endpoint.path.replaceAll(/\W+/g, '_')}`,
  parameters: [...parametersOf(endpoint), ...headersOf(endpoint)],
  ...bodyOf(endpoint),
  responses: repliesOf(endpoint),
  security: SECURITY[endpoint.access],
})

const text = (name: string, description: string): JsonObject => ({
  name,
  in: 'header',
  required: false,
  description,
  schema: { type: 'string' },
})

const components: JsonObject = {
  securitySchemes: {
    session: { type: 'apiKey', in: 'cookie', name: 'ccx-session' },
    token: { type: 'http', scheme: 'bearer' },
    basic: { type: 'http', scheme: 'basic' },
  },
  parameters: {
    owner: text('CCX-Owner', 'In whose name the request acts: `<type>:<id>` of a scope of yours. Default: your own.'),
    idempotencyKey: text(
      'Idempotency-Key',
      '1 to 255 visible ASCII characters. A repeat under the same key gets the first reply.',
    ),
    position: text(
      'CCX-Position',
      'From an earlier answer: the answer to this request shows at least what was true then.',
    ),
  },
  responses: {
    problem: {
      description: 'A refusal; `type` leads to its meaning.',
      content: {
        'application/json': {
          schema: {
            type: 'object',
            required: ['code', 'err', 'error', 'type'],
            properties: {
              code: { type: 'integer', description: 'The status of the answer.' },
              err: { type: 'string' },
              error: { type: 'string' },
              type: { type: 'string' },
              field: { type: 'string' },
            },
          },
        },
      },
    },
  },
}

/**
 * The OpenAPI 3.1 document of the endpoints, made from the same schemas that read their requests.
 *
 * @param options.publicUrl what clients call us
 */
export const openApi = (
  endpoints: readonly Endpoint[],
  { info, publicUrl }: { readonly info: ApiInfo; readonly publicUrl: string },
): JsonObject => {
  const paths: Record<string, Record<string, JsonValue>> = {}
  for (const endpoint of endpoints) {
    const path = endpoint.path.replaceAll(/:(\w+)/g, '{$1}')
    const methods = (paths[path] ??= {})
    methods[endpoint.method.toLowerCase()] = operationOf(endpoint)
  }
  return { openapi: '3.1.0', info, servers: [{ url: publicUrl }], paths, components }
}
