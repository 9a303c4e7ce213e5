import { z } from 'zod'
import { type Endpoint, endpoint, type Request } from '../../domain/kernel/endpoint.ts'
import { parsePosition } from '../../domain/kernel/event-store.ts'
import { sortablePosition } from '../../projections/positions.ts'
import { datastoreParams, noDatastore } from '../asked.ts'
import { type Chronicle, type Chronicled, type ChronicleQueries, chronicle } from './chronicle.ts'
import { beginningOf, placeAt } from './events.ts'
import { instantText, pastInstant } from './instant.ts'
import { type HistoryQueries, reach } from './past.ts'
import { diffReply, historyReply, whyReply } from './replies.ts'

const PATH = '/api/v1/datastores/:uuid'
const tag = 'History'
const LIMIT_MAX = 100
const WAIT_MS = 1_000

type Queries = Omit<ChronicleQueries, 'audit'> & { readonly history: HistoryQueries }
type Tools = { readonly queries: Queries; readonly told: Chronicle }
type Asked = Pick<Request<{ readonly uuid: string }, unknown, unknown>, 'params' | 'principal' | 'header'>

/** What happened to a datastore, what it changed, and why: also of one that is deleted. */
export const history = (queries: Queries): readonly Endpoint[] => {
  const tools = { queries, told: chronicle({ ...queries, audit: queries.history.audit }) }
  return [why(tools), diff(tools), events(tools)]
}

/** What the caller has seen of the log must be in the answer. */
const found = async ({ queries: { history: past } }: Tools, { params, principal, header }: Asked): Promise<Chronicled> => {
  const seen = parsePosition(header('CCX-Position') ?? '')
  if (seen !== undefined) await past.waitFor(seen, WAIT_MS)
  const beginning = await beginningOf(past.audit, params.uuid)
  if (beginning === undefined || beginning.data.spec.ownerId !== principal.ownerId) throw noDatastore(params.uuid)
  return { datastoreId: params.uuid, beginning }
}

const why = (tools: Tools): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/why`,
    summary: 'Why a datastore shows what it shows: the event behind each field, and what led to it',
    tag,
    access: 'user',
    needs: 'audit',
    params: datastoreParams,
    query: z.object({
      field: z.string().min(1).max(300).optional().meta({ description: 'A field, or what fields begin with up to a dot.' }),
    }),
    replies: { 200: { description: 'The fields; all of them, if none is named.', schema: whyReply } },
    handle: async (request) => ({
      status: 200,
      body: await tools.told.why(await found(tools, request), request.query.field),
    }),
  })

const diff = (tools: Tools): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/diff`,
    summary: 'What differs in a datastore between two instants',
    tag,
    access: 'user',
    needs: 'audit',
    params: datastoreParams,
    query: z.object({ from: pastInstant, to: pastInstant.optional() }),
    replies: { 200: { description: 'The fields that differ, each with the event that set it last.', schema: diffReply } },
    handle: async (request) => {
      const { history: past } = tools.queries
      const { from, to } = request.query
      const of = await found(tools, request)
      for (const instant of to === undefined ? [from] : [from, to]) await reach(past, instant)
      const place = await placeAt(past.audit, of.datastoreId, from)
      const end = to === undefined ? undefined : await placeAt(past.audit, of.datastoreId, to)
      const { changes } = await tools.told.diff(of, place, end)
      const until = to === undefined ? past.now() : instantText(to)
      return { status: 200, body: { uuid: of.datastoreId, from: instantText(from), to: until, changes } }
    },
  })

const cursor = z.string().refine((text) => parsePosition(text) !== undefined, 'must be the cursor of an earlier answer')

const events = (tools: Tools): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/history`,
    summary: 'What happened to a datastore, oldest first, and what of it each event changed',
    tag,
    access: 'user',
    needs: 'audit',
    params: datastoreParams,
    query: z.object({ limit: z.coerce.number().int().min(1).max(LIMIT_MAX).default(50), cursor: cursor.optional() }),
    replies: { 200: { description: 'A part of the history, and where the next one begins.', schema: historyReply } },
    handle: async (request) => {
      const after = parsePosition(request.query.cursor ?? '')
      const part = { after: after === undefined ? '' : sortablePosition(after), limit: request.query.limit }
      return { status: 200, body: await tools.told.page(await found(tools, request), part) }
    },
  })
