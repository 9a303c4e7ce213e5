import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cutPower } from '../../providers/process-host/units.ts'

/** The names in a folder, without those of what is not a machine (claims, half-made ones). */
const namesIn = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder).catch(() => [])).filter((name) => !name.startsWith('.'))

/**
 * Ends whatever runs on the local machines. Their disks stay, and the deployer boots them at the next start.
 *
 * @param machinesDir holds a folder for each provider, and that one for each of its machines
 * @param log told of each machine that could not be stopped
 */
export const endMachines = async (machinesDir: string, log: (line: string) => void): Promise<void> => {
  for (const provider of await namesIn(machinesDir)) {
    for (const name of await namesIn(join(machinesDir, provider))) {
      await cutPower(join(machinesDir, provider, name)).catch((error: unknown) => {
        log(`the machine ${name} could not be stopped: ${error instanceof Error ? error.message : String(error)}`)
      })
    }
  }
}
