import { z } from 'zod'
import type { JsonObject } from '../domain/kernel/json.ts'
import { cloudEvent } from '../projections/public-events/cloud-event.ts'
import { contract } from '../projections/public-events/contract.ts'

/** JSON Schema as those who read may rely on it: members they do not know are to be passed over. */
const schemaOf = (schema: z.ZodType): JsonObject => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    // How the schema's library looks for a format is its own affair, and changes with it.
    override: ({ jsonSchema }) => {
      if (jsonSchema.format !== undefined) delete jsonSchema.pattern
    },
  })
  return z.record(z.string(), z.json()).parse(rest)
}

const messageOf = ([type, { summary, subject }]: [string, (typeof contract)[keyof typeof contract]]): JsonObject => ({
  name: type,
  title: type,
  summary,
  contentType: 'application/cloudevents+json',
  payload: {
    allOf: [
      { $ref: '#/components/schemas/CloudEvent' },
      {
        type: 'object',
        properties: {
          type: { const: type },
          subject: { type: 'string', description: `\`${subject}\`` },
          data: { $ref: `#/components/schemas/${type}` },
        },
      },
    ],
  },
})

/**
 * The AsyncAPI 3.0 document of the public events (https://www.asyncapi.com/docs/reference/specification/v3.0.0), made
 * from the schemas that the mapping is typed by.
 *
 * @param publicUrl what clients call the installation
 */
export const asyncApi = (publicUrl: string): JsonObject => {
  const { host, protocol } = new URL(publicUrl)
  const types = Object.entries(contract)
  const refs = (of: string) => types.map(([type]) => ({ $ref: `#/${of}/${type}` }))
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'CCX events',
      version: '1',
      description:
        'What happens to the datastores, jobs, nodes and clients of an organisation, in the order of the log. A type that ' +
        'is published keeps its meaning for ever and its data may only gain members; pass over what is not known.',
    },
    defaultContentType: 'application/cloudevents+json',
    servers: { api: { host, protocol: protocol.replace(':', ''), security: [{ $ref: '#/components/securitySchemes/token' }] } },
    channels: {
      events: {
        address: '/api/v1/events',
        summary: 'Server-Sent Events, or parts of the feed by asking; from any cursor.',
        messages: Object.fromEntries(types.map(([type]) => [type, { $ref: `#/components/messages/${type}` }])),
      },
    },
    operations: {
      sendEvents: {
        action: 'send',
        channel: { $ref: '#/channels/events' },
        messages: refs('channels/events/messages'),
      },
    },
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      messages: Object.fromEntries(types.map((entry) => [entry[0], messageOf(entry)])),
      schemas: {
        CloudEvent: schemaOf(cloudEvent),
        ...Object.fromEntries(types.map(([type, { data }]) => [type, schemaOf(data)])),
      },
    },
  }
}
