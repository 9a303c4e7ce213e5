import { z } from 'zod'

export type JsonSchema = { readonly [keyword: string]: unknown }

const Parameter = z.object({
  name: z.string(),
  in: z.enum(['path', 'query', 'header']),
  schema: z.looseObject({}).default({}),
  required: z.boolean().default(false),
})
const Operation = z.object({
  parameters: z.array(z.union([Parameter, z.object({ $ref: z.string() })])).default([]),
  requestBody: z.object({ content: z.record(z.string(), z.object({ schema: z.looseObject({}) })) }).optional(),
  security: z.array(z.looseObject({})).optional(),
})
const Document = z.object({ paths: z.record(z.string(), z.record(z.string(), Operation)) })

/** A call as the description of the API tells it. */
export type DescribedCall = {
  readonly method: string
  /** With `{name}` where an id goes. */
  readonly path: string
  readonly params: readonly string[]
  readonly query: readonly { readonly name: string; readonly schema: JsonSchema; readonly required: boolean }[]
  readonly body: JsonSchema | undefined
  readonly isForm: boolean
  readonly isPublic: boolean
}

/** Every call that an OpenAPI document describes. */
export const describedCalls = (document: unknown): readonly DescribedCall[] =>
  Object.entries(Document.parse(document).paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { parameters, requestBody, security }]) => {
      const own = parameters.flatMap((one) => ('name' in one ? [one] : []))
      const [[type, content] = []] = Object.entries(requestBody?.content ?? {})
      return {
        method: method.toUpperCase(),
        path,
        params: own.filter((one) => one.in === 'path').map(({ name }) => name),
        query: own.filter((one) => one.in === 'query'),
        body: content?.schema,
        isForm: type === 'application/x-www-form-urlencoded',
        isPublic: security !== undefined && security.length === 0,
      }
    }),
  )

const Shape = z.looseObject({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  properties: z.record(z.string(), z.looseObject({})).optional(),
  items: z.looseObject({}).optional(),
  enum: z.array(z.json()).optional(),
  const: z.json().optional(),
  anyOf: z.array(z.looseObject({})).optional(),
  oneOf: z.array(z.looseObject({})).optional(),
  allOf: z.array(z.looseObject({})).optional(),
  format: z.string().optional(),
  minimum: z.number().optional(),
  minLength: z.number().optional(),
})

const TEXTS: Readonly<Record<string, string>> = {
  'uuid': '4f1c2a9e-0000-4000-8000-00000000abcd',
  'date-time': '2030-01-01T00:00:00.000Z',
  'date': '2030-01-01',
  'email': 'somebody@example.com',
  'uri': 'https://example.com/',
}

/** A value that the schema takes, with every member it knows. What the schema cannot say, the value does not keep to. */
export const exampleOf = (schema: JsonSchema): z.core.util.JSONType => {
  const shape = Shape.parse(schema)
  if (shape.const !== undefined) return shape.const
  const [first] = shape.enum ?? []
  if (first !== undefined) return first
  const [choice] = shape.anyOf ?? shape.oneOf ?? shape.allOf ?? []
  if (choice !== undefined) return exampleOf(choice)
  switch (Array.isArray(shape.type) ? shape.type[0] : shape.type) {
    case 'object':
      return Object.fromEntries(Object.entries(shape.properties ?? {}).map(([name, member]) => [name, exampleOf(member)]))
    case 'array':
      return shape.items === undefined ? [] : [exampleOf(shape.items)]
    case 'string':
      return TEXTS[shape.format ?? ''] ?? 'x'.repeat(Math.max(1, shape.minLength ?? 1))
    case 'integer':
    case 'number':
      return Math.max(1, shape.minimum ?? 1)
    case 'boolean':
      return false
    default:
      return null
  }
}
