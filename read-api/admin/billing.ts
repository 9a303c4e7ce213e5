import type { Kysely } from 'kysely'
import { z } from 'zod'
import { type Endpoint, endpoint } from '../../domain/kernel/endpoint.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import type { ReadSchema } from '../../projections/schema.ts'
import { csvReply } from '../csv.ts'
import { isoOf } from '../rows.ts'
import { type Asked, billCsv, billReply, billReplyOf, type BillReply, type Charged } from './bill-reply.ts'

export type BillingQueries = {
  readonly db: Kysely<ReadSchema>
  readonly personal: Pick<PersonalData, 'open'>
  readonly now: () => string
}

const DAY_MS = 86_400_000

const period = z
  .object({
    from: z.iso.date().optional().meta({ description: 'The first day, UTC; absent: since ever.' }),
    to: z.iso.date().optional().meta({ description: 'The last day, UTC, all of it; absent: until now.' }),
  })
  .refine(({ from, to }) => from === undefined || to === undefined || from <= to, {
    path: ['to'],
    message: 'must not be before from',
  })

const askedOf = ({ from, to }: z.infer<typeof period>, now: string): Asked => {
  const end = to === undefined ? undefined : new Date(Date.parse(to) + DAY_MS).toISOString()
  const begin = from === undefined ? null : new Date(from).toISOString()
  const nowMs = Date.parse(now)
  return {
    from: begin,
    to: end ?? null,
    now,
    fromMs: begin === null ? 0 : Date.parse(begin),
    // Nothing has been used yet of the time to come.
    untilMs: Math.min(end === undefined ? nowMs : Date.parse(end), nowMs),
  }
}

/** Who had a datastore in that time, with what it used. */
const charged = async ({ db, personal }: BillingQueries, { fromMs, untilMs }: Asked): Promise<readonly Charged[]> => {
  const rows = await db
    .selectFrom('usage')
    .leftJoin('accounts', 'accounts.account_id', 'usage.owner_id')
    .select(['datastore_id', 'owner_id', 'vendor', 'type', 'segments', 'usage.created_at', 'deleted_at', 'customer_reference'])
    .where('usage.created_at', '<', new Date(untilMs))
    .where((where) => where.or([where('deleted_at', 'is', null), where('deleted_at', '>=', new Date(fromMs))]))
    .execute()
  const references = await personal.open(rows.map(({ customer_reference: reference }) => reference ?? ''))
  return rows.map((row, n) => ({
    datastoreId: row.datastore_id,
    ownerId: row.owner_id,
    vendor: row.vendor,
    type: row.type,
    createdAt: isoOf(row.created_at),
    deletedAt: row.deleted_at === null ? null : isoOf(row.deleted_at),
    segments: row.segments,
    reference: row.customer_reference === null ? undefined : references[n],
  }))
}

const PATH = '/api/admin/datastores/billing/usage'

const about = {
  method: 'GET',
  tag: 'Administration',
  access: 'admin-or-basic',
  query: period,
} as const

/**
 * What the datastores have used. It follows from the events alone: of days that are over it always says the same.
 */
export const billing = (queries: BillingQueries): readonly Endpoint[] => {
  const { now } = queries
  const billed = async (asked: Asked): Promise<BillReply> => billReplyOf(await charged(queries, asked), asked)
  return [
    endpoint({
      ...about,
      path: `${PATH}/json`,
      summary: 'What datastores used, deleted ones included',
      replies: { 200: { description: 'The use of each, and the events it comes from.', schema: billReply } },
      handle: async ({ query }) => ({ status: 200, body: await billed(askedOf(query, now())) }),
    }),
    endpoint({
      ...about,
      path: `${PATH}/csv`,
      summary: 'What datastores used, as a table',
      replies: { 200: { description: 'One line for each datastore.', types: ['text/csv'] } },
      handle: async ({ query }) => {
        const asked = askedOf(query, now())
        const lines = billCsv(await billed(asked))
        const name = `usage_${query.from ?? 'begin'}_${query.to ?? asked.now.slice(0, 10)}.csv`
        return csvReply(name, lines)
      },
    }),
  ]
}
