import { sql } from 'kysely'
import { z } from 'zod'
import { type Endpoint, endpoint } from '../../domain/kernel/endpoint.ts'
import { datastoreParams, noDatastore } from '../asked.ts'
import { type AuditDb, beginningOf, knownOf } from '../history/events.ts'
import { withTextsOpen } from '../history/open-texts.ts'
import { loginsOf } from '../logins.ts'
import { type Line, LINE_TYPES, lining } from './audit-lines.ts'
import type { StoreQueries } from './stores.ts'

const PAGE = 500
const LINES_MAX = 1_000

const reply = z.object({
  lines: z.array(
    z.object({
      text: z.string(),
      user: z.string(),
      time: z.iso.datetime(),
      type: z.enum(['job', 'info', 'create_resource', 'delete_resource']),
      data: z.record(z.string(), z.string()),
    }),
  ),
})

const query = z.object({
  from: z.iso.datetime({ offset: true }).optional().meta({ description: 'Lines of this instant and later.' }),
  to: z.iso.datetime({ offset: true }).optional().meta({ description: 'Lines before this instant.' }),
  limit: z.coerce.number().int().min(1).max(LINES_MAX).default(20),
})

type Asked = z.infer<typeof query> & { readonly datastoreId: string; readonly place: string }

const linesOf = async (audit: AuditDb, { datastoreId, place, from, to, limit }: Asked): Promise<readonly Line[]> => {
  const { take, has, lines } = lining(place)
  for (let before: string | undefined; !has(limit); ) {
    let page = audit
      .selectFrom('audit.entries')
      .select(['position', 'event'])
      .where('datastore_id', '=', datastoreId)
      .where('type', 'in', LINE_TYPES)
      .orderBy('position', 'desc')
      .limit(PAGE)
    if (before !== undefined) page = page.where('position', '<', before)
    if (from !== undefined) page = page.where('at', '>=', sql<Date>`${from}::timestamptz`)
    if (to !== undefined) page = page.where('at', '<', sql<Date>`${to}::timestamptz`)
    const rows = await page.execute()
    for (const event of knownOf(rows)) take(event)
    before = rows.at(-1)?.position
    if (rows.length < PAGE) break
  }
  return lines().slice(0, limit)
}

/** What happened to anybody's datastore, in the words that operators' clients know. */
export const adminAudit = (queries: StoreQueries & { readonly audit: AuditDb }): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/admin/datastores/:uuid/audit',
    summary: 'What happened to a datastore, newest first',
    tag: 'Administration',
    access: 'admin',
    params: datastoreParams,
    query,
    replies: { 200: { description: 'Jobs, resources made and removed, and whatever else there is to tell.', schema: reply } },
    handle: async ({ params: { uuid }, query: asked }) => {
      const { audit, db, personal } = queries
      const beginning = await beginningOf(audit, uuid)
      if (beginning === undefined) throw noDatastore(uuid)
      const { cloud, region } = beginning.data.spec
      const lines = await linesOf(audit, { ...asked, datastoreId: uuid, place: `${cloud}:${region}` })
      const logins = await loginsOf(db, personal, lines.map(({ user }) => user))
      const named = lines.map((line) => ({ ...line, user: logins.get(line.user) ?? line.user, data: { ...line.data } }))
      return { status: 200, body: await withTextsOpen(personal, reply, { lines: named }) }
    },
  })
