import type { Kysely } from 'kysely'
import { z } from 'zod'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'
import type { ReadSchema } from '../projections/schema.ts'
import { datastoreParams, noDatastore } from './asked.ts'

export type AuthorityQueries = {
  readonly db: Kysely<ReadSchema>
  /** The certificate, in PEM, of the authority that signs the datastore's certificates; undefined as long as there is none. */
  readonly openAuthority: (
    datastore: Readonly<{ datastore_id: string; owner_id: string }>,
  ) => Promise<string | undefined>
}

const authorityReply = z.object({ uuid: z.uuid(), ca: z.string() })

/** What a client needs in order to know that it talks to its own datastore (libpq: `sslrootcert`). */
export const authority = ({ db, openAuthority }: AuthorityQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/prov/api/v2/cluster/:uuid/ca',
    summary: "Read the certificate of the datastore's own authority",
    tag: 'Datastores',
    access: 'user',
    params: datastoreParams,
    replies: { 200: { description: 'The certificate, in PEM.', schema: authorityReply } },
    handle: async ({ params: { uuid }, principal }) => {
      const row = await db
        .selectFrom('datastores')
        .select(['datastore_id', 'owner_id'])
        .where('datastore_id', '=', uuid)
        .where('owner_id', '=', principal.ownerId)
        .executeTakeFirst()
      if (row === undefined) throw noDatastore(uuid)
      const ca = await openAuthority(row)
      if (ca === undefined) {
        throw new Refused({ rejected: 'datastore-not-deployed', because: 'the datastore has no certificates yet' })
      }
      return { status: 200, body: { uuid, ca } }
    },
  })
