import { authEndpoints } from '../../../command-handlers/auth/endpoints.ts'
import { ensureOperator } from '../../../command-handlers/auth/register.ts'
import type { Endpoint } from '../../../domain/kernel/endpoint.ts'
import { authStore } from '../../auth/auth-store.ts'
import { directory } from '../../auth/directory.ts'
import { readSecretFile } from '../../config.ts'
import { traceparent } from '../../telemetry/tracing.ts'
import type { Base } from '../base.ts'

/** The calls of the authentication service. Makes the first operator when there is none yet. */
export const authCalls = async ({ config, log, now, store, ccxDb }: Base): Promise<readonly Endpoint[]> => {
  const { db, pool } = ccxDb()
  const { migrate, ...auth } = authStore({ pool, now })
  await migrate()
  const { login, passwordFile } = config.admin
  if (passwordFile !== undefined) {
    const password = readSecretFile(passwordFile)
    const isNew = await ensureOperator({ store: store(), credentials: auth.credentials, now }, { login, password })
    if (isNew) log.info({ login }, 'the first operator was made')
  }
  const secure = config.http.publicUrl.startsWith('https:')
  return authEndpoints({ ...auth, store: store(), directory: directory({ db }), now, secure, traceparent })
}
