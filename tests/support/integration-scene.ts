import { randomBytes } from 'node:crypto'
import { integrationEndpoints } from '../../command-handlers/integration.ts'
import { account } from '../../domain/account/account.ts'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import { handle } from '../../command-handlers/handle.ts'
import { freshId } from '../../command-handlers/ids.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { eventStoreUsers } from '../../infra/event-store/esdb-users.ts'
import { copyPublicEvents, integrationStream } from '../../infra/integration/copier.ts'
import { connect } from '../../infra/read-store/connect.ts'
import { feedTail } from '../../infra/read-store/feed-tail.ts'
import { readPosition } from '../../infra/read-store/position.ts'
import { projector } from '../../infra/read-store/projector.ts'
import { ensureTables } from '../../infra/read-store/tables.ts'
import { projections } from '../../projections/index.ts'
import { READ_SCHEMA, type ReadSchema } from '../../projections/schema.ts'
import { keptLog } from './log.ts'
import { openPersonalData, sealed } from './personal-data.ts'
import { startPostgres } from './postgres.ts'
import { type Rest, startRest } from './rest.ts'
import { type SecuredStore, securedStore } from './secured-event-store.ts'

export type IntegrationScene = {
  readonly secured: SecuredStore
  readonly store: EventStore
  readonly rest: Rest
  /** Makes something happen to an account that integrators are told of. */
  readonly happen: (accountId: string) => Promise<void>
  readonly register: (accountId: string) => Promise<void>
  /** What the feed holds of an organisation, in its order. */
  readonly fed: (accountId: string) => Promise<readonly string[]>
  /** Starts one more copier; returns how to stop it. */
  readonly startCopier: () => () => Promise<void>
  readonly close: () => Promise<void>
}

/** The stream of public events as it really is: event store with users, read models, copier and endpoints. */
export const integrationScene = async (): Promise<IntegrationScene> => {
  const [secured, postgres] = await Promise.all([securedStore(), startPostgres()])
  const connectionString = secured.urlOf(secured.admin)
  const store = esdbEventStore({ connectionString })
  const users = eventStoreUsers({ connectionString })
  const readStore = connect<ReadSchema>(postgres.url)
  await ensureTables(readStore.pool, { schema: READ_SCHEMA, projections })
  const db = readStore.db.withSchema(READ_SCHEMA)
  const until = new AbortController()
  const { log } = keptLog()
  const projecting = projector({ store, readStore, projections, signal: until.signal, log })
  const position = readPosition({ url: postgres.url })
  const now = () => new Date().toISOString()
  const rest = await startRest(
    integrationEndpoints({
      store,
      users,
      personal: openPersonalData,
      streamOf: integrationStream,
      place: { scheme: 'esdb:', host: secured.address, authorityPem: secured.authorityPem },
      newPassword: () => randomBytes(24).toString('base64url'),
      now,
      traceparent: () => undefined,
    }),
    { waitFor: position.waitFor, log },
  )
  const send = handle({ store }, account, ({ data }) => `account-${data.accountId}`)
  const cause = (organisationId: string) => {
    const commandId = freshId()
    const actor = { kind: 'system', id: 'test' } as const
    return { commandId, correlationId: commandId, causationId: commandId, actor, organisationId }
  }
  const copiers = new Set<() => Promise<void>>()
  const startCopier = () => {
    const ending = new AbortController()
    const tail = feedTail({ db: readStore.db, position })
    const ended = copyPublicEvents({ store, db, tail, publicUrl: 'https://ccx.example', signal: ending.signal, log })
    const stop = async (): Promise<void> => {
      ending.abort()
      await ended
      copiers.delete(stop)
    }
    copiers.add(stop)
    return stop
  }
  startCopier()
  return {
    secured,
    store,
    rest,
    startCopier,
    register: async (accountId) => {
      const person = { login: sealed('a'), firstName: sealed('b'), lastName: sealed('c'), isAdmin: false }
      await send({ type: 'RegisterAccount', data: { accountId, ...person, now: now() } }, cause(accountId))
    },
    happen: async (accountId) => {
      const data = { accountId, clientId: freshId(), name: sealed('client'), expiresAt: null, now: now() }
      await send({ type: 'CreateClient', data }, cause(accountId))
    },
    fed: async (accountId) => {
      const rows = await db.selectFrom('feed').select('id').where('organisation_id', '=', accountId).orderBy('position').execute()
      return rows.map(({ id }) => id)
    },
    close: async () => {
      for (const stop of copiers) await stop()
      await rest.close()
      until.abort()
      await projecting
      await position.close()
      await users.close()
      await store.close()
      await readStore.close()
      await postgres.stop()
      await secured.stop()
    },
  }
}
