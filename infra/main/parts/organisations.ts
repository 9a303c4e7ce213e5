import { randomBytes } from 'node:crypto'
import { adminUserEndpoints } from '../../../command-handlers/admin-users.ts'
import { organisationEndpoints } from '../../../command-handlers/organisations/endpoints.ts'
import type { Endpoint } from '../../../domain/kernel/endpoint.ts'
import { READ_SCHEMA } from '../../../projections/schema.ts'
import { organisations } from '../../../read-api/organisations.ts'
import { authStore } from '../../auth/auth-store.ts'
import { integrationStream } from '../../integration/copier.ts'
import { knownOrganisations } from '../../organisations/known.ts'
import { traceparent } from '../../telemetry/tracing.ts'
import type { Base } from '../base.ts'
import { counted } from './counted.ts'

const TOKEN_BYTES = 32

/** Nobody reads the stream of its public events any more. */
const endStreamUser =
  ({ storeUsers }: Base) =>
  async (ownerId: string): Promise<void> => {
    const users = storeUsers()
    if (users.distinguishes) await users.removeUser(integrationStream(ownerId))
  }

/** The calls about organisations and who belongs to them. */
export const organisationCalls = async (base: Base): Promise<readonly Endpoint[]> => {
  const { config, metrics, now, store, ccxDb } = base
  const { db } = ccxDb()
  const sealed = await base.secrets()
  const personal = await base.personal()
  return [
    ...organisationEndpoints({
      store: store(),
      personal,
      organisations: knownOrganisations({ db, personal }),
      tokens: {
        ensure: (ref) => sealed.ensure(ref, async () => randomBytes(TOKEN_BYTES).toString('base64url')),
        destroySubject: sealed.destroySubject,
      },
      outbox: await base.outbox(),
      endings: [endStreamUser(base)],
      publicUrl: config.http.publicUrl,
      now,
      traceparent,
      around: (send) => counted(metrics, send),
    }),
    ...organisations({ db: db.withSchema(READ_SCHEMA), personal }),
  ]
}

/** The calls of operators that suspend and delete users. */
export const adminUserCalls = async (base: Base): Promise<readonly Endpoint[]> => {
  const { metrics, now, store, ccxDb } = base
  const { db, pool } = ccxDb()
  const personal = await base.personal()
  const { sessions, credentials } = authStore({ pool, now })
  return adminUserEndpoints({
    store: store(),
    personal,
    sessions,
    credentials,
    organisations: knownOrganisations({ db, personal }),
    endings: [endStreamUser(base)],
    now,
    traceparent,
    around: (send) => counted(metrics, send),
  })
}
