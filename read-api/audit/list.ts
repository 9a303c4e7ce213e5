import { z } from 'zod'
import { type Endpoint, type Request, endpoint } from '../../domain/kernel/endpoint.ts'
import { datastoreParams, noDatastore } from '../asked.ts'
import { filterQuery, pageQuery, settled, trailOf, trailQuery } from './asked.ts'
import type { AuditQueries } from './index.ts'
import { type Part, entriesOf } from './rows.ts'
import { entryReply, reply, shown } from './shown.ts'

const tag = 'Audit'

const listReply = z.object({
  organisation: z.string(),
  entries: z.array(entryReply),
  cursor: z.string().nullable().meta({ description: 'Where to go on; null at the end.' }),
})

type Asked = Pick<Part, 'order' | 'cursor' | 'limit' | 'filter'> & { readonly organisation: string | undefined }

const page = async (
  { db, personal, waitFor }: AuditQueries,
  request: Pick<Request<unknown, unknown, unknown>, 'principal' | 'header'>,
  { organisation: asked, filter, order, cursor, limit }: Asked,
): Promise<z.infer<typeof listReply>> => {
  const organisation = trailOf(request.principal, asked)
  await settled(request, waitFor)
  const rows = await entriesOf(db, { organisation, filter, order, cursor, limit: limit + 1 })
  const entries = rows.slice(0, limit)
  const found = await shown({ db, open: personal.open, principal: request.principal }, entries)
  return {
    organisation,
    entries: found.map(reply),
    cursor: rows.length > limit ? (entries.at(-1)?.n ?? null) : null,
  }
}

/** The entries of a trail, by cursor. */
export const list = (queries: AuditQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/v1/audit',
    summary: 'List the entries of the audit trail',
    tag,
    access: 'user',
    needs: 'audit',
    query: z.object({ ...trailQuery.shape, ...filterQuery.shape, ...pageQuery.shape }),
    replies: { 200: { description: 'A part of the trail, and where to go on.', schema: listReply } },
    handle: async (request) => {
      const { organisation, order, cursor, limit, ...filter } = request.query
      return { status: 200, body: await page(queries, request, { organisation, filter, order, cursor, limit }) }
    },
  })

/** The entries that concern one datastore and its jobs, also once it is deleted. */
export const listOfDatastore = (queries: AuditQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/v1/datastores/:uuid/audit',
    summary: 'List the entries of the audit trail that concern a datastore',
    tag,
    access: 'user',
    needs: 'audit',
    params: datastoreParams,
    query: z.object({ ...trailQuery.shape, ...filterQuery.omit({ datastore: true }).shape, ...pageQuery.shape }),
    replies: { 200: { description: 'A part of the trail, and where to go on.', schema: listReply } },
    handle: async (request) => {
      const { params: { uuid: datastore }, query: { organisation, order, cursor, limit, ...filter } } = request
      const asked = { organisation, filter: { ...filter, datastore }, order, cursor, limit }
      const body = await page(queries, request, asked)
      if (body.entries.length === 0 && !(await isKnown(queries, body.organisation, datastore))) throw noDatastore(datastore)
      return { status: 200, body }
    },
  })

const isKnown = async ({ db }: AuditQueries, organisation: string, datastore: string): Promise<boolean> =>
  (await entriesOf(db, { organisation, filter: { datastore }, order: 'oldest', limit: 1 })).length > 0
