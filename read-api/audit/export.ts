import { z } from 'zod'
import { type Endpoint, type ReplyStream, endpoint } from '../../domain/kernel/endpoint.ts'
import { filterQuery, settled, trailOf, trailQuery } from './asked.ts'
import { csvOf } from './csv.ts'
import type { AuditQueries } from './index.ts'
import { jsonOf } from './json.ts'
import type { Exporting } from './pages.ts'
import { lastCheckpoint } from './rows.ts'

const TYPES = { json: 'application/x-ndjson', csv: 'text/csv; charset=utf-8' } as const

/** The export as it comes from the endpoint, and from the command line. */
export const exportOf = async (exporting: Exporting, format: 'json' | 'csv'): Promise<ReplyStream> => {
  const checkpoint = await lastCheckpoint(exporting.db, exporting.organisation)
  const chunks = format === 'json' ? jsonOf(exporting, checkpoint) : csvOf(exporting, checkpoint?.size ?? 0)
  return { type: TYPES[format], chunks }
}

/** The trail as a file. */
export const exported = (queries: AuditQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/v1/audit/export',
    summary: 'Export the audit trail, up to its last checkpoint',
    tag: 'Audit',
    access: 'user',
    needs: 'audit',
    query: z.object({ ...trailQuery.shape, ...filterQuery.shape, format: z.enum(['json', 'csv']).default('json') }),
    replies: {
      200: {
        description: 'JSON: one value a line, which `ccx audit verify` checks offline. CSV: for people and spreadsheets.',
        types: ['application/x-ndjson', 'text/csv'],
      },
    },
    handle: async (request) => {
      const { organisation: asked, format, ...filter } = request.query
      const { principal, signal } = request
      const organisation = trailOf(principal, asked)
      await settled(request, queries.waitFor)
      const stream = await exportOf({ ...queries, organisation, filter, principal, signal }, format)
      const extension = format === 'json' ? 'jsonl' : 'csv'
      const name = `audit-${organisation.replaceAll(/[^A-Za-z0-9-]/g, '_')}.${extension}`
      return { status: 200, stream, headers: { 'Content-Disposition': `attachment; filename="${name}"` } }
    },
  })
