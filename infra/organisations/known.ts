import { type Kysely, sql } from 'kysely'
import type { Organisations } from '../../command-handlers/organisations/tools.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import { READ_SCHEMA, type ReadSchema } from '../../projections/schema.ts'

/** What is known of organisations, from the read models. */
export const knownOrganisations = ({ db, personal: { open } }: {
  readonly db: Kysely<ReadSchema>
  readonly personal: Pick<PersonalData, 'open'>
}): Organisations & { readonly idsOf: (userId: string) => Promise<readonly string[]> } => {
  const read = db.withSchema(READ_SCHEMA)
  return {
    invitationBy: async (tokenHash) => {
      const has = sql<boolean>`invitations @> ${JSON.stringify([{ token_hash: tokenHash }])}::jsonb`
      const row = await read.selectFrom('organisations').select(['organisation_id', 'invitations']).where(has).executeTakeFirst()
      const invitation = row?.invitations.find((one) => one.token_hash === tokenHash)
      return row && invitation && { organisationId: row.organisation_id, invitationId: invitation.invitation_id }
    },
    nameOf: async (organisationId) => {
      const row = await read
        .selectFrom('organisations')
        .select('name')
        .where('organisation_id', '=', organisationId)
        .executeTakeFirst()
      const [name = ''] = row === undefined ? [] : await open([row.name])
      return name
    },
    countOf: async (userId) => {
      const isMember = sql<boolean>`members @> ${JSON.stringify([{ user_id: userId }])}::jsonb`
      const { count } = await read
        .selectFrom('organisations')
        .select(({ fn }) => fn.countAll<string>().as('count'))
        .where(isMember)
        .executeTakeFirstOrThrow()
      return Number(count)
    },
    idsOf: async (userId) => {
      const isMember = sql<boolean>`members @> ${JSON.stringify([{ user_id: userId }])}::jsonb`
      const rows = await read.selectFrom('organisations').select('organisation_id').where(isMember).execute()
      return rows.map(({ organisation_id: id }) => id)
    },
    holdings: async (ownerId) => {
      const [datastores, groups, webhooks] = await Promise.all([
        read.selectFrom('datastores').select('datastore_id').where('owner_id', '=', ownerId).execute(),
        read.selectFrom('parameter_groups').select('group_id').where('owner_id', '=', ownerId).execute(),
        read.selectFrom('webhooks').select('webhook_id').where('organisation_id', '=', ownerId).execute(),
      ])
      return [
        ...datastores.map(({ datastore_id: id }) => `datastore ${id}`),
        ...groups.map(({ group_id: id }) => `parameter group ${id}`),
        ...webhooks.map(({ webhook_id: id }) => `webhook ${id}`),
      ]
    },
  }
}
