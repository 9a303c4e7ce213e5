import { z } from 'zod'
import { type Catalogue, vendorNamed } from '../domain/catalogue/catalogue.ts'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'
import { may } from '../domain/kernel/roles.ts'
import { datastoreParams, noDatastore } from './asked.ts'
import { type AccessQueries, accessRow } from './databases.ts'
import { usersOf } from './inhabitants.ts'

/** Where and as whom somebody connects; without a password where it is not to be shown. */
export type ConnectionTarget = {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string | undefined
}

export type ConnectionQueries = Omit<AccessQueries, 'history' | 'observe'> & {
  readonly catalogue: Catalogue
  /** How the clients of an engine are told to connect. */
  readonly connections: (
    engine: string,
    target: ConnectionTarget,
  ) => readonly { readonly name: string; readonly language: string; readonly text: string }[]
  /** A password in the vault; undefined where there is none any more. */
  readonly openPassword: (secret: {
    readonly ownerId: string
    readonly datastoreId: string
    /** Null: the administrator's of the beginning. */
    readonly vaultId: string | null
  }) => Promise<string | undefined>
}

const name = z.string().min(1).max(63)

const query = z.object({
  user: name.optional().meta({ description: 'One that was made here; default: the administrator.' }),
  database: name.optional().meta({ description: 'Default: the first database.' }),
  endpoint: z.enum(['primary', 'replica']).default('primary'),
  password: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .meta({ description: 'Whether the password is to be in the strings.' }),
})

const reply = z.object({
  endpoint: z.enum(['primary', 'replica']),
  host: z.string(),
  port: z.int(),
  database: z.string(),
  user: z.string().meta({ description: 'The name to log in with.' }),
  password: z.string().nullable(),
  ssl_mode: z.string(),
  ca_path: z.string().meta({ description: 'Where the certificate is to be had that the strings call ca.pem.' }),
  connections: z.array(z.object({ name: z.string(), language: z.string(), text: z.string() })),
})

/** Tells how to connect, for clients of every kind. */
export const connections = (queries: ConnectionQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/v1/datastores/:uuid/connections',
    summary: 'Tell how to connect: strings for every kind of client, over TLS with full verification',
    tag: 'Databases and users',
    access: 'user',
    params: datastoreParams,
    query,
    replies: { 200: { description: 'Names and passwords are encoded as each form needs it.', schema: reply } },
    handle: async ({ params: { uuid }, query: asked, principal }) => {
      const { ownerId } = principal
      const { row, deployed } = await accessRow(queries.db, uuid, ownerId)
      const datastore = await placeOf(queries, uuid, ownerId)
      const isReplica = asked.endpoint === 'replica'
      if (!deployed || (isReplica && datastore.size < 2)) {
        const what = deployed ? 'the datastore has no replica' : 'the datastore is not deployed'
        throw new Refused({ rejected: 'datastore-not-deployed', because: `${what}: there is nothing to connect to` })
      }
      const known = await usersOf(queries.personal.open, row, undefined)
      const user = known.find((one) => one.name === (asked.user ?? row.admin) || one.login === asked.user)
      if (user === undefined) {
        throw new Refused({ rejected: 'user-not-found', because: 'user: no such user was made here' })
      }
      if (asked.password && !may(principal.role, 'operate')) {
        throw new Refused({ rejected: 'forbidden', because: 'passwords are not shown to those who may only look' })
      }
      const password = asked.password
        ? await queries.openPassword({ ownerId, datastoreId: uuid, vaultId: user.vaultId })
        : undefined
      const host = isReplica ? datastore.replica_host : datastore.primary_host
      const target = { host, port: datastore.port, database: asked.database ?? row.first_database, user: user.login, password }
      const engine = vendorNamed(queries.catalogue, datastore.vendor)?.engine ?? ''
      const body = {
        ...target,
        password: password ?? null,
        endpoint: asked.endpoint,
        ssl_mode: 'verify-full',
        ca_path: `/api/prov/api/v2/cluster/${uuid}/ca`,
        connections: queries.connections(engine, target).map((one) => ({ ...one })),
      }
      return { status: 200, body }
    },
  })

const placeOf = async ({ db }: Pick<ConnectionQueries, 'db'>, uuid: string, ownerId: string) => {
  const row = await db
    .selectFrom('datastores')
    .select(['primary_host', 'replica_host', 'port', 'size', 'vendor'])
    .where('datastore_id', '=', uuid)
    .where('owner_id', '=', ownerId)
    .executeTakeFirst()
  if (row === undefined) throw noDatastore(uuid)
  return row
}
