import type { Kysely } from 'kysely'
import { z } from 'zod'
import { type Endpoint, endpoint } from '../domain/kernel/endpoint.ts'
import { parsePosition } from '../domain/kernel/event-store.ts'
import { outages as projection } from '../projections/outages.ts'
import type { OutagesRow } from '../projections/outage-row.ts'
import { sortablePosition } from '../projections/positions.ts'
import type { ReadSchema } from '../projections/schema.ts'
import { datastoreParams, noDatastore } from './asked.ts'
import { asOfQuery } from './history/instant.ts'
import { type HistoryQueries, pastOf } from './history/past.ts'
import { cursorOf, outageReplyOf, outagesReply } from './outages-reply.ts'

const LIMIT_MAX = 100

const query = asOfQuery.extend({
  limit: z.coerce.number().int().min(1).max(LIMIT_MAX).default(50),
  cursor: z.string().refine((text) => parsePosition(text) !== undefined, 'must be the cursor of an earlier answer').optional(),
})

/** What befell a datastore and its nodes, also of one that is deleted. */
export const outages = ({ db, history }: { readonly db: Kysely<ReadSchema>; readonly history: HistoryQueries }): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/v1/datastores/:uuid/outages',
    summary: 'List the failovers, restarts and losses of nodes of a datastore, newest first, as they are or were known',
    tag: 'Datastores',
    access: 'user',
    needs: 'audit',
    params: datastoreParams,
    query,
    replies: { 200: { description: 'A part of the list, and where the next one begins.', schema: outagesReply } },
    handle: async ({ params: { uuid }, query: { asOf, limit, cursor }, principal: { ownerId } }) => {
      const past = asOf && (await pastOf(history, { uuid, ownerId, asOf }))
      const row = past === undefined ? await present(db, uuid, ownerId) : await past.row(projection)
      if (row === undefined) throw noDatastore(uuid)
      const before = parsePosition(cursor ?? '')
      const end = before === undefined ? undefined : sortablePosition(before)
      const entries = row.outages.filter(({ position }) => end === undefined || position < end).toReversed()
      const page = entries.slice(0, limit)
      const last = page.at(-1)
      const next = last === undefined || entries.length === page.length ? null : cursorOf(last)
      return { status: 200, body: { uuid, outages: page.map((entry) => outageReplyOf(row.hostnames, entry)), cursor: next } }
    },
  })

const present = (db: Kysely<ReadSchema>, uuid: string, ownerId: string): Promise<OutagesRow | undefined> =>
  db.selectFrom('outages').selectAll().where('datastore_id', '=', uuid).where('owner_id', '=', ownerId).executeTakeFirst()
