import { z } from 'zod'
import type { JsonObject } from '../../domain/kernel/json.ts'
import { cursorOf } from '../feed-position.ts'
import type { FeedRow } from '../schema.ts'

/** An event in the JSON format of CloudEvents 1.0 (https://github.com/cloudevents/spec). */
export const cloudEvent = z.object({
  specversion: z.literal('1.0'),
  id: z.uuid().describe('The same whenever and however the event is got: what has been seen can be passed over.'),
  source: z.url().describe('The organisation at this installation.'),
  type: z.string(),
  subject: z.string(),
  time: z.iso.datetime().describe('When it happened.'),
  datacontenttype: z.literal('application/json'),
  dataschema: z.url(),
  cursor: z.string().describe('Goes on after this event.'),
  data: z.looseObject({}),
})

export type CloudEvent = Readonly<Omit<z.infer<typeof cloudEvent>, 'data'>> & { readonly data: JsonObject }

/** The path of the AsyncAPI document, which holds the schema of each type's data. */
export const CONTRACT_PATH = '/api/asyncapi.json'

/**
 * A row of the feed as integrators get it.
 *
 * @param publicUrl what clients call the installation
 */
export const cloudEventOf = (
  { position, organisation_id: organisationId, id, type, subject, at, data }:
    Omit<FeedRow, 'at' | 'datastore_id'> & { readonly at: Date | string },
  publicUrl: string,
): CloudEvent => ({
  specversion: '1.0',
  id,
  source: `${publicUrl}/organisations/${organisationId}`,
  type,
  subject,
  time: new Date(at).toISOString(),
  datacontenttype: 'application/json',
  dataschema: `${publicUrl}${CONTRACT_PATH}#/components/schemas/${type}`,
  cursor: cursorOf(position),
  data,
})
