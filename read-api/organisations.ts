import { type Kysely, type Selectable, sql } from 'kysely'
import { z } from 'zod'
import { type Endpoint, endpoint, type Principal, Refused } from '../domain/kernel/endpoint.ts'
import { ROLES, type Role } from '../domain/kernel/roles.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import type { ReadSchema } from '../projections/schema.ts'

export type OrganisationQueries = {
  readonly db: Kysely<ReadSchema>
  readonly personal: Pick<PersonalData, 'open'>
}

type Row = Selectable<ReadSchema['organisations']>

const PATH = '/api/v1/organisations'
const tag = 'Organisations'
const params = z.object({ id: z.uuid().toLowerCase() })
const role = z.enum(ROLES)
const instant = z.iso.datetime()

const organisationReply = z.object({
  id: z.uuid(),
  name: z.string(),
  role: role.describe('What you are in it.'),
  members: z.int().describe('How many there are.'),
  created_at: instant,
})
const memberReply = z.object({
  user_id: z.uuid(),
  login: z.string().nullable().describe('Null for one whose account is no more.'),
  name: z.string().nullable(),
  role,
  since: instant,
})
const invitationReply = z.object({
  id: z.uuid(),
  email: z.string(),
  role,
  invited_by: z.string(),
  created_at: instant,
  expires_at: instant,
})

/** The organisations of the one who asks, their members and their open invitations. */
export const organisations = (queries: OrganisationQueries): readonly Endpoint[] => [
  list(queries),
  get(queries),
  members(queries),
  invitations(queries),
]

const replyOf = ({ organisation_id: id, members: all, created_at: at }: Row, name: string, own: Role) => ({
  id,
  name,
  role: own,
  members: all.length,
  created_at: at.toISOString(),
})

/** A client sees the one that it was made for, if it was made for one. */
const list = ({ db, personal }: OrganisationQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: PATH,
    summary: 'List the organisations that you are a member of, by age',
    tag,
    access: 'user',
    needs: 'self',
    replies: { 200: { description: 'All of them.', schema: z.object({ organisations: z.array(organisationReply) }) } },
    handle: async ({ principal: { kind, userId, ownerId } }) => {
      const isMember = sql<boolean>`members @> ${JSON.stringify([{ user_id: userId }])}::jsonb`
      const rows = await db
        .selectFrom('organisations')
        .selectAll()
        .where(isMember)
        .$if(kind === 'client', (it) => it.where('organisation_id', '=', ownerId))
        .orderBy('created_at')
        .orderBy('organisation_id')
        .execute()
      const names = await personal.open(rows.map(({ name }) => name))
      const replies = rows.flatMap((row, n) => {
        const own = row.members.find(({ user_id: id }) => id === userId)
        return own === undefined ? [] : [replyOf(row, names[n] ?? '', own.role)]
      })
      return { status: 200, body: { organisations: replies } }
    },
  })

/** @throws Refused `organisation-not-found` when the read models do not have it yet, or have it no more */
const found = async (db: Kysely<ReadSchema>, { ownerId }: Principal): Promise<Row> => {
  const row = await db.selectFrom('organisations').selectAll().where('organisation_id', '=', ownerId).executeTakeFirst()
  if (row !== undefined) return row
  throw new Refused({ rejected: 'organisation-not-found', because: `there is no organisation ${ownerId}` })
}

const get = ({ db, personal }: OrganisationQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/:id`,
    summary: 'Read an organisation',
    tag,
    access: 'user',
    of: 'organisation',
    needs: 'audit',
    params,
    replies: { 200: { description: 'The organisation, and what you are in it.', schema: organisationReply } },
    handle: async ({ principal }) => {
      const row = await found(db, principal)
      const [name = ''] = await personal.open([row.name])
      return { status: 200, body: replyOf(row, name, principal.role) }
    },
  })

const members = ({ db, personal }: OrganisationQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/:id/members`,
    summary: 'List the members of an organisation, in the order in which they came',
    tag,
    access: 'user',
    of: 'organisation',
    needs: 'audit',
    params,
    replies: { 200: { description: 'All of them.', schema: z.object({ members: z.array(memberReply) }) } },
    handle: async ({ principal }) => {
      const row = await found(db, principal)
      const accounts = await db
        .selectFrom('accounts')
        .select(['account_id', 'login', 'first_name', 'last_name'])
        .where('account_id', 'in', row.members.map(({ user_id: id }) => id))
        .execute()
      const texts = await personal.open(accounts.flatMap(({ login, first_name: first, last_name: last }) => [login, first, last]))
      const named = new Map(
        accounts.map(({ account_id: id }, n) => {
          const [login = '', first = '', last = ''] = texts.slice(3 * n, 3 * n + 3)
          return [id, { login, name: `${first} ${last}`.trim() }]
        }),
      )
      const entries = row.members.map(({ user_id: id, role: own, since }) => ({
        user_id: id,
        login: named.get(id)?.login ?? null,
        name: named.get(id)?.name ?? null,
        role: own,
        since,
      }))
      return { status: 200, body: { members: entries } }
    },
  })

const invitations = ({ db, personal }: OrganisationQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: `${PATH}/:id/invitations`,
    summary: 'List the invitations that nobody has answered, oldest first; some may have run out',
    tag,
    access: 'user',
    of: 'organisation',
    needs: 'administer',
    params,
    replies: {
      200: { description: 'All of them, without their tokens.', schema: z.object({ invitations: z.array(invitationReply) }) },
    },
    handle: async ({ principal }) => {
      const row = await found(db, principal)
      const addresses = await personal.open(row.invitations.map(({ address }) => address))
      const entries = row.invitations.map((one, n) => ({
        id: one.invitation_id,
        email: addresses[n] ?? '',
        role: one.role,
        invited_by: one.invited_by,
        created_at: one.created_at,
        expires_at: one.expires_at,
      }))
      return { status: 200, body: { invitations: entries } }
    },
  })
