import type { Selectable } from 'kysely'
import { z } from 'zod'
import { READ_SCHEMA, type ReadSchema } from '../../../projections/schema.ts'
import { loginsOf } from '../../../read-api/logins.ts'
import { printable } from './histories.ts'
import { onStores, type Stores } from './stores.ts'
import { type Command, parseOptions, UsageError } from './usage.ts'

const WANTS = 'org wants: list, or show ID'

type Row = Selectable<ReadSchema['organisations']>

const named = async ({ personal }: Pick<Stores, 'personal'>, rows: readonly Row[]) => {
  const names = await personal.open(rows.map(({ name }) => name))
  return rows.map((row, n) => ({ row, name: printable(names[n] ?? '') }))
}

const listed = async (stores: Pick<Stores, 'db' | 'personal'>): Promise<readonly string[]> => {
  const all = stores.db.withSchema(READ_SCHEMA).selectFrom('organisations').selectAll()
  const rows = await named(stores, await all.orderBy('created_at').orderBy('organisation_id').execute())
  if (rows.length === 0) return ['There are no organisations.']
  return rows.map(({ row: { organisation_id: id, members }, name }) => `${id}  ${String(members.length).padStart(3)}  ${name}`)
}

const shown = async (stores: Pick<Stores, 'db' | 'personal'>, id: string): Promise<readonly string[]> => {
  const read = stores.db.withSchema(READ_SCHEMA)
  const [found] = await named(
    stores,
    await read.selectFrom('organisations').selectAll().where('organisation_id', '=', id).execute(),
  )
  if (found === undefined) throw new UsageError(`there is no organisation ${id}`)
  const { row: { members, invitations, created_at: since }, name } = found
  const logins = await loginsOf(read, stores.personal, members.map(({ user_id: userId }) => userId))
  const addresses = await stores.personal.open(invitations.map(({ address }) => address))
  return [
    `${name}, made at ${since.toISOString()}`,
    '  members',
    ...members.map(
      ({ user_id: userId, role, since: at }) =>
        `    ${role.padEnd(9)}  ${printable(logins.get(userId) ?? 'no account any more')}  (${userId}), since ${at}`,
    ),
    '  invitations',
    ...invitations.map(
      ({ invitation_id: one, role, expires_at: until }, n) =>
        `    ${role.padEnd(9)}  ${printable(addresses[n] ?? '')}  (${one}), until ${until}`,
    ),
  ]
}

/** Shows organisations, or one with its members and open invitations. */
export const org: Command = async (args) => {
  const { values, positionals } = parseOptions(args, { options: { state: { type: 'string' } }, allowPositionals: true })
  const [verb, id, ...rest] = positionals
  const isList = verb === 'list' && id === undefined
  const isShow = verb === 'show' && id !== undefined && rest.length === 0
  if (!isList && !isShow) throw new UsageError(WANTS)
  if (isShow && !z.uuid().safeParse(id).success) throw new UsageError('an organisation goes by its id, a UUID')
  const lines = await onStores(values.state, (stores) => (isShow ? shown(stores, id.toLowerCase()) : listed(stores)))
  for (const line of lines) console.log(line)
  return 0
}
