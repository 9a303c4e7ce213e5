import { commandEndpoints } from '../../../command-handlers/datastores.ts'
import type { Endpoint } from '../../../domain/kernel/endpoint.ts'
import { readApi } from '../../../read-api/index.ts'
import { readCatalogue } from '../../catalogue/read-catalogue.ts'
import { traceparent } from '../../telemetry/tracing.ts'
import type { Base } from '../base.ts'
import { counted } from './counted.ts'

/** The calls that change datastores. */
export const commandCalls = async ({ config, metrics, now, store, personal }: Base): Promise<readonly Endpoint[]> => {
  const { domain, ttlSeconds } = config.dns
  const catalogue = readCatalogue(config.catalogueFile)
  return commandEndpoints({
    store: store(),
    catalogue,
    domain,
    ttlSeconds,
    now,
    personal: await personal(),
    traceparent,
    around: (send) => counted(metrics, send),
  })
}

/** The calls that look. Secrets are opened for their owner at the moment they are asked for; no read model holds any. */
export const queryCalls = async ({ config, ccxDb, secrets, personal }: Base): Promise<readonly Endpoint[]> => {
  const sealed = await secrets()
  const opened =
    (name: string) =>
    ({ owner_id: ownerId, datastore_id: subjectId }: { readonly owner_id: string; readonly datastore_id: string }) =>
      sealed.open({ ownerId, subjectId, name })
  return readApi({
    db: ccxDb().db,
    personal: await personal(),
    catalogue: readCatalogue(config.catalogueFile),
    openPassword: opened('admin-password'),
    openAuthority: opened('ca-certificate'),
  })
}
