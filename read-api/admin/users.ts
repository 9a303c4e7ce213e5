import { z } from 'zod'
import { type Endpoint, endpoint } from '../../domain/kernel/endpoint.ts'
import { csvLine, csvReply } from '../csv.ts'
import type { StoreQueries } from './stores.ts'

const PATH = '/api/admin/users'
const about = { method: 'GET', tag: 'Administration', access: 'admin' } as const

const userReply = z.object({
  id: z.uuid(),
  login: z.string(),
  first_name: z.string(),
  last_name: z.string(),
  created_at: z.iso.datetime(),
  suspended: z.boolean(),
  suspended_because: z.string().nullable(),
  deleted: z.boolean(),
})

type User = z.infer<typeof userReply>

/** The customers, with those that are deleted and without those who work here, for operators. */
export const adminUsers = (queries: StoreQueries): readonly Endpoint[] => [list(queries), count(queries), table(queries)]

const all = async ({ db, personal }: StoreQueries): Promise<readonly User[]> => {
  const customers = db.selectFrom('accounts').selectAll().where('is_admin', '=', false)
  const rows = await customers.orderBy('created_at').orderBy('account_id').execute()
  const texts = await personal.open(
    rows.flatMap((row) => [row.login, row.first_name, row.last_name, row.suspended_because ?? '']),
  )
  return rows.map((row, n) => {
    const [login = '', firstName = '', lastName = '', because = ''] = texts.slice(4 * n, 4 * n + 4)
    return {
      id: row.account_id,
      login,
      first_name: firstName,
      last_name: lastName,
      created_at: row.created_at.toISOString(),
      suspended: row.suspended,
      suspended_because: row.suspended_because === null ? null : because,
      deleted: row.deleted,
    }
  })
}

const list = (queries: StoreQueries): Endpoint =>
  endpoint({
    ...about,
    path: PATH,
    summary: 'List the customers, by age',
    replies: { 200: { description: 'All of them.', schema: z.object({ users: z.array(userReply) }) } },
    handle: async () => ({ status: 200, body: { users: [...(await all(queries))] } }),
  })

const count = ({ db }: StoreQueries): Endpoint =>
  endpoint({
    ...about,
    access: 'basic',
    path: `${PATH}/count`,
    summary: 'How many customers there are',
    replies: { 200: { description: 'Those that are deleted count, operators do not.', schema: z.object({ count: z.int() }) } },
    handle: async () => {
      const counted = db.selectFrom('accounts').select(({ fn }) => fn.countAll<string>().as('total'))
      const { total } = await counted.where('is_admin', '=', false).executeTakeFirstOrThrow()
      return { status: 200, body: { count: Number(total) } }
    },
  })

const COLUMNS = [
  'id', 'login', 'first_name', 'last_name', 'created_at', 'suspended', 'deleted',
] as const satisfies readonly (keyof User)[]

const table = (queries: StoreQueries): Endpoint =>
  endpoint({
    ...about,
    path: `${PATH}/csv`,
    summary: 'List the customers as a table',
    replies: { 200: { description: 'One line for each.', types: ['text/csv'] } },
    handle: async () => {
      const lines = (await all(queries)).map((user) => csvLine(COLUMNS.map((column) => String(user[column]))))
      return csvReply('users.csv', [csvLine(COLUMNS), ...lines])
    },
  })
