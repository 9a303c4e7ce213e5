import { Kysely, PostgresDialect } from 'kysely'
import type { Pool } from 'pg'
import type { Attempts, Credentials, JwtLogins, MailTokens, Sessions, Throttle } from '../../command-handlers/auth/ports.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import { attemptCounter } from './attempts.ts'
import { credentialStore } from './credentials.ts'
import { jwtLogins } from './jwt-logins.ts'
import { mailTokens } from './mail-tokens.ts'
import { sessionStore } from './sessions.ts'
import { type AuthTables, migrateAuth } from './tables.ts'
import { throttle } from './throttle.ts'

export type AuthStore = {
  /** Brings the schema `auth` up to date; the rest needs it. */
  readonly migrate: () => Promise<readonly string[]>
  readonly credentials: Credentials
  readonly sessions: Sessions
  readonly attempts: Attempts
  readonly mailTokens: MailTokens
  readonly throttle: Throttle
  readonly jwtLogins: JwtLogins
}

/**
 * What the authentication service keeps in CCX DB.
 *
 * @param options.pool stays the caller's to close
 */
export const authStore = ({ pool, now }: { readonly pool: Pool; readonly now: () => Instant }): AuthStore => {
  const db = new Kysely<AuthTables>({ dialect: new PostgresDialect({ pool }) })
  return {
    migrate: () => migrateAuth(db),
    credentials: credentialStore({ db, now }),
    sessions: sessionStore({ db, now }),
    attempts: attemptCounter({ db, now }),
    mailTokens: mailTokens({ db, now }),
    throttle: throttle({ db, now }),
    jwtLogins: jwtLogins({ db, now }),
  }
}
