import { authEndpoints } from '../../../command-handlers/auth/endpoints.ts'
import { ensureOperator } from '../../../command-handlers/auth/register.ts'
import type { Endpoint } from '../../../domain/kernel/endpoint.ts'
import { authStore } from '../../auth/auth-store.ts'
import { jwtIssuers } from '../../auth/jwt-issuers.ts'
import { directory } from '../../auth/directory.ts'
import { readSecretFile } from '../../config.ts'
import { traceparent } from '../../telemetry/tracing.ts'
import type { Base } from '../base.ts'

/** The calls of the authentication service. Makes the first operator when there is none yet. */
export const authCalls = async ({ config, log, now, store, ccxDb, personal, outbox }: Base): Promise<readonly Endpoint[]> => {
  const { db, pool } = ccxDb()
  const { migrate, ...auth } = authStore({ pool, now })
  await migrate()
  const sealing = await personal()
  const { login, passwordFile } = config.admin
  if (passwordFile !== undefined) {
    const password = readSecretFile(passwordFile)
    const registry = { store: store(), credentials: auth.credentials, personal: sealing, now }
    const isNew = await ensureOperator(registry, { login, password })
    if (isNew) log.info({}, 'the first operator was made')
  }
  const secure = config.http.publicUrl.startsWith('https:')
  const people = directory({ db, personal: sealing })
  return authEndpoints({
    ...auth,
    store: store(),
    directory: people,
    personal: sealing,
    outbox: await outbox(),
    now,
    secure,
    publicUrl: config.http.publicUrl,
    registrationOpen: config.accounts.registrationOpen,
    jwtIssuers: jwtIssuers({ issuers: config.jwt.issuers, now }),
    jwtSessionSeconds: config.jwt.sessionSeconds,
    loginRedirectUrl: config.jwt.redirectUrl,
    traceparent,
    later: (work) => {
      work().catch((err: unknown) => log.error({ err }, 'what was to follow an answer came to nothing'))
    },
  })
}
