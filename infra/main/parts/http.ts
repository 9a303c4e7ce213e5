import { authenticator } from '../../../command-handlers/auth/authenticator.ts'
import { rolesIn } from '../../../command-handlers/organisations/membership.ts'
import type { Endpoint } from '../../../domain/kernel/endpoint.ts'
import { projections } from '../../../projections/index.ts'
import { READ_SCHEMA } from '../../../projections/schema.ts'
import { readSecretFile } from '../../config.ts'
import { authStore } from '../../auth/auth-store.ts'
import { directory } from '../../auth/directory.ts'
import { basicGuard } from '../../http/basic.ts'
import { rateLimiter } from '../../http/rate-limit.ts'
import { httpServer } from '../../http/server.ts'
import { ensureTables } from '../../read-store/tables.ts'
import { readiness } from '../../telemetry/health.ts'
import type { Base, Part } from '../base.ts'

type Calls = (base: Base) => Promise<readonly Endpoint[]>

const basicAccount = ({ adminBasic: { username, passwordFile } }: Base['config']) =>
  passwordFile === undefined ? undefined : { username, password: readSecretFile(passwordFile) }

/**
 * Serves endpoints over HTTP, behind the authentication.
 *
 * @param options.serves the calls of this service
 * @param options.elsewhere calls that another service takes, behind the same address: they are in the description only
 */
export const httpPart =
  ({ serves, elsewhere = [] }: { readonly serves: readonly Calls[]; readonly elsewhere?: readonly Calls[] }) =>
  async (base: Base): Promise<Part> => {
    const { config, log, metrics, metricsHandler, now, signal, store, ccxDb, readPosition, personal } = base
    const events = store()
    const { db, pool } = ccxDb()
    await ensureTables(pool, { schema: READ_SCHEMA, projections })
    const auth = authStore({ pool, now })
    await auth.migrate()
    const roleIn = rolesIn(events)
    const checks = { eventStore: events.ping, ccxDb: () => pool.query('select 1') }
    const all = async (calls: readonly Calls[]) => (await Promise.all(calls.map((call) => call(base)))).flat()
    const server = await httpServer({
      ...config.http,
      limiter: rateLimiter(config.http.limits),
      endpoints: await all(serves),
      elsewhere: await all(elsewhere),
      authenticate: authenticator({
        sessions: auth.sessions,
        directory: directory({ db, personal: await personal() }),
        roleIn,
        requireConfirmed: config.accounts.requireConfirmed,
      }),
      roleIn,
      isBasic: basicGuard(basicAccount(config)),
      waitFor: readPosition().waitFor,
      ready: () => readiness(checks),
      metricsHandler,
      observe: metrics.request,
      log,
    })
    const ended = new Promise<void>((resolve, reject) => {
      const close = () => server.close().then(resolve, reject)
      signal.addEventListener('abort', () => void close(), { once: true })
    })
    return { checks, ended }
  }
