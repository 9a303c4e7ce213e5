import type { Log } from '../telemetry/logger.ts'
import type { Provider } from '../providers/provider.ts'

/**
 * Boots every machine that there is, so that databases come back after this machine was rebooted or everything on it
 * was killed. What runs already is left alone, and so is what is off because it is to be; a machine that cannot be booted
 * keeps no other down.
 */
export const bootEveryMachine = async ({
  providers,
  log,
}: {
  readonly providers: readonly Provider[]
  readonly log: Log
}): Promise<void> => {
  for (const provider of providers) {
    if ((await provider.unavailable()) !== undefined) continue
    const resources = await provider.list()
    const withVolume = resources.flatMap(({ kind, nodeId }) => (kind === 'volume' && nodeId !== null ? [nodeId] : []))
    for (const nodeId of withVolume) {
      if ((await provider.find(nodeId))?.staysOff === true) continue
      await provider.boot(nodeId).catch((err: unknown) => {
        log.error({ provider: provider.name, nodeId, err }, 'a machine could not be booted')
      })
    }
  }
}
