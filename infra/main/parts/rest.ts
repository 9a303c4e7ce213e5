import { commandEndpoints } from '../../../command-handlers/datastores.ts'
import type { Endpoint } from '../../../domain/kernel/endpoint.ts'
import { readCatalogue } from '../../catalogue/read-catalogue.ts'
import { traceparent } from '../../telemetry/tracing.ts'
import type { Base } from '../base.ts'

/** The calls that change datastores. */
export const commandCalls = async ({ config, now, store }: Base): Promise<readonly Endpoint[]> => {
  const { domain, ttlSeconds } = config.dns
  const catalogue = readCatalogue(config.catalogueFile)
  return commandEndpoints({ store: store(), catalogue, domain, ttlSeconds, now, traceparent })
}
