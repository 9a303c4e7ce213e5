import { providers } from '../../providers/index.ts'

/**
 * Powers the local machines off. Their disks stay, and the deployer boots them at the next start.
 *
 * @param machinesDir where all providers keep theirs
 * @param log told of each machine that could not be stopped
 */
export const endMachines = async (machinesDir: string, log: (line: string) => void): Promise<void> => {
  // Nothing is run on the machines, so neither programs nor their user matter.
  for (const provider of providers({ machinesDir, binDirs: [], libraryPaths: [], user: undefined, ports: [] })) {
    const resources = await provider.list().catch(() => [])
    const nodes = resources.flatMap(({ kind, nodeId }) => (kind === 'machine' && nodeId !== null ? [nodeId] : []))
    for (const nodeId of nodes) {
      await provider.halt(nodeId).catch((error: unknown) => {
        log(`the machine ${nodeId} could not be stopped: ${error instanceof Error ? error.message : String(error)}`)
      })
    }
  }
}
