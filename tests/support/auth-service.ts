import { argon2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { authenticator } from '../../command-handlers/auth/authenticator.ts'
import { type AuthEndpoints, authEndpoints } from '../../command-handlers/auth/endpoints.ts'
import { rolesIn } from '../../command-handlers/organisations/membership.ts'
import { type Endpoint, endpoint } from '../../domain/kernel/endpoint.ts'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import type { Mail } from '../../domain/kernel/mail.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import { type AuthStore, authStore } from '../../infra/auth/auth-store.ts'
import { jwtIssuers } from '../../infra/auth/jwt-issuers.ts'
import { directory } from '../../infra/auth/directory.ts'
import { listMails, mailDb, outbox } from '../../infra/mail/outbox.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { connect, type ReadStore } from '../../infra/read-store/connect.ts'
import { VAULT, vaultMigrations } from '../../infra/secrets/migrations.ts'
import { personalData } from '../../infra/secrets/personal-data.ts'
import { migrateToLatest } from '../../infra/read-store/migrate.ts'
import { ensureTables } from '../../infra/read-store/tables.ts'
import { readPosition } from '../../infra/read-store/position.ts'
import { projector } from '../../infra/read-store/projector.ts'
import { projections } from '../../projections/index.ts'
import { READ_SCHEMA, type ReadSchema } from '../../projections/schema.ts'
import { keptLog } from './log.ts'
import { startPostgres } from './postgres.ts'
import { type Rest, startRest } from './rest.ts'

export type AuthService = {
  readonly rest: Rest
  readonly store: EventStore
  readonly auth: AuthStore
  readonly personal: PersonalData
  readonly now: () => string
  /** Keeps the account's password as a hash of little cost. */
  readonly weaken: (accountId: string, password: string) => Promise<void>
  /** Lets time pass, for the service alone. */
  readonly advance: (ms: number) => void
  /** What the service has logged. */
  readonly lines: readonly string[]
  /** What was put into the outbox and is for this reader, oldest first, once all that follows answers is done. */
  readonly mailsTo: (login: string) => Promise<readonly Mail[]>
  /** Everything that the schema `auth` and the outbox hold, as text. */
  readonly kept: () => Promise<string>
  readonly close: () => Promise<void>
}

/** What other calls beside those of the service may stand on. */
export type AuthStores = Pick<AuthService, 'store' | 'auth' | 'personal' | 'now'> & {
  readonly readStore: ReadStore<ReadSchema>
  readonly masterKey: Buffer
}

/** A call for those alone who have confirmed their address. */
const confirmedOnly = endpoint({
  method: 'POST',
  path: '/api/confirmed-only',
  summary: 'For those who have confirmed their address',
  tag: 'Test',
  access: 'user',
  confirmed: true,
  replies: { 200: { description: 'He has.' } },
  handle: async () => ({ status: 200, body: {} }),
})

/**
 * The authentication service as it runs, over a real Postgres with its real projections; only the event store is in
 * memory.
 *
 * @param more other calls behind the same authentication
 * @param options what of the service is to be otherwise
 */
export const startAuthService = async (
  more: (stores: AuthStores) => Promise<readonly Endpoint[]> = async () => [],
  options: Partial<AuthEndpoints> = {},
): Promise<AuthService> => {
  const postgres = await startPostgres()
  const readStore = connect<ReadSchema>(postgres.url)
  await ensureTables(readStore.pool, { schema: READ_SCHEMA, projections })
  let aheadMs = 0
  const now = () => new Date(Date.now() + aheadMs).toISOString()
  const auth = authStore({ pool: readStore.pool, now })
  await auth.migrate()
  const store = memoryEventStore()
  const until = new AbortController()
  const { log, lines } = keptLog()
  const caughtUp = Promise.withResolvers<void>()
  const projecting = projector({ store, readStore, projections, signal: until.signal, log, onCaughtUp: caughtUp.resolve })
  // What is read right after it was written waits only so long.
  await caughtUp.promise
  const position = readPosition({ url: postgres.url })
  await migrateToLatest(readStore.db, { schema: VAULT, migrations: vaultMigrations })
  const masterKey = randomBytes(32)
  const personal = personalData({ pool: readStore.pool, masterKey })
  const found = directory({ db: readStore.db, personal })
  const roleIn = rolesIn(store)
  const own = await more({ store, readStore, masterKey, personal, auth, now })
  const { migrate: _, ...ports } = auth
  const mails = await mailDb(readStore.pool)
  const following = new Set<Promise<void>>()
  const rest = await startRest(
    [
      ...own,
      ...authEndpoints({
        ...ports,
        store,
        directory: found,
        personal,
        outbox: outbox({ db: mails, personal, now }),
        now,
        secure: false,
        publicUrl: 'http://ccx.test',
        registrationOpen: true,
        jwtIssuers: jwtIssuers({ issuers: [], now }),
        jwtSessionSeconds: 3_600,
        loginRedirectUrl: 'http://ccx.test/home',
        traceparent: () => undefined,
        later: (work) => {
          const done = work().finally(() => following.delete(done))
          following.add(done)
        },
        ...options,
      }),
      confirmedOnly,
    ],
    {
      authenticate: authenticator({ sessions: auth.sessions, directory: found, roleIn, requireConfirmed: true }),
      roleIn,
      waitFor: position.waitFor,
      log,
    },
  )
  const kept = async () => {
    const names = ['credentials', 'sessions', 'attempts', 'mail_tokens', 'jwt_logins', 'known_places', 'buckets']
    const tables = [...names.map((name) => `auth.${name}`), 'mail.outbox'].map(
      (name) => `select row_to_json(t)::text as row from ${name} t`,
    )
    const { rows } = await readStore.pool.query(tables.join(' union all '))
    return JSON.stringify(rows)
  }
  return {
    rest,
    store,
    auth,
    personal,
    now,
    advance: (ms) => {
      aheadMs += ms
    },
    lines,
    kept,
    weaken: async (accountId, password) => {
      const salt = randomBytes(16)
      const cost = { parallelism: 1, memory: 8, passes: 1, tagLength: 32 }
      const hash = await promisify(argon2)('argon2id', { ...cost, message: password, nonce: salt })
      const unpadded = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')
      const phc = `$argon2id$v=19$m=8,t=1,p=1$${unpadded(salt)}$${unpadded(hash)}`
      await readStore.pool.query('update auth.credentials set hash = $1 where subject = $2', [phc, accountId])
    },
    mailsTo: async (login) => {
      await Promise.all(following)
      const listed = await listMails(mails, personal, { limit: 1_000 })
      return listed.flatMap(({ mail }) => (mail?.to === login ? [mail] : []))
    },
    close: async () => {
      await rest.close()
      until.abort()
      await projecting
      await position.close()
      await readStore.close()
      await postgres.stop()
    },
  }
}
