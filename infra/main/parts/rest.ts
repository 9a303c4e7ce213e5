import manifest from '../../../package.json' with { type: 'json' }
import { commandEndpoints } from '../../../command-handlers/datastores.ts'
import type { Endpoint } from '../../../domain/kernel/endpoint.ts'
import { READ_SCHEMA } from '../../../projections/schema.ts'
import { events } from '../../../read-api/events.ts'
import { readApi } from '../../../read-api/index.ts'
import { sagas } from '../../../sagas/index.ts'
import { readCatalogue } from '../../catalogue/read-catalogue.ts'
import { feedTail } from '../../read-store/feed-tail.ts'
import { traceparent } from '../../telemetry/tracing.ts'
import type { Base } from '../base.ts'
import { auditCalls } from './audit.ts'
import { counted } from './counted.ts'
import { historyOf } from './history.ts'

/** The calls that change datastores. */
export const commandCalls = async ({ config, metrics, now, store, personal }: Base): Promise<readonly Endpoint[]> => {
  const { domain, ttlSeconds } = config.dns
  const catalogue = readCatalogue(config.catalogueFile)
  return commandEndpoints({
    store: store(),
    catalogue,
    sagas,
    domain,
    ttlSeconds,
    now,
    personal: await personal(),
    traceparent,
    around: (send) => counted(metrics, send),
  })
}

/** The calls that look. Secrets are opened for their owner at the moment they are asked for; no read model holds any. */
export const queryCalls = async (base: Base): Promise<readonly Endpoint[]> => {
  const { config, log, ccxDb, readPosition, secrets, personal } = base
  const sealed = await secrets()
  const opened =
    (name: string) =>
    ({ owner_id: ownerId, datastore_id: subjectId }: { readonly owner_id: string; readonly datastore_id: string }) =>
      sealed.open({ ownerId, subjectId, name })
  const { db } = ccxDb()
  const calls = readApi({
    db,
    personal: await personal(),
    catalogue: readCatalogue(config.catalogueFile),
    history: await historyOf(base),
    version: manifest.version,
    openPassword: async ({ owner_id: ownerId, datastore_id: subjectId }) => {
      const access = db.withSchema(READ_SCHEMA).selectFrom('database_access').select('admin_vault_id')
      const changed = (await access.where('datastore_id', '=', subjectId).executeTakeFirst())?.admin_vault_id
      return sealed.open({ ownerId, subjectId, name: changed ?? 'admin-password' })
    },
    openAuthority: opened('ca-certificate'),
  })
  const onError = (err: unknown) => log.warn({ err }, 'the feed cannot be looked at')
  const tail = feedTail({ db, position: readPosition(), onError })
  const feed = events({ db: db.withSchema(READ_SCHEMA), tail, publicUrl: config.http.publicUrl })
  return [...calls, ...feed, ...(await auditCalls(base))]
}
