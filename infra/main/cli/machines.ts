import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cutPower } from '../../providers/process-host/units.ts'

/**
 * Ends whatever runs on the local machines. Their disks stay, and the deployer boots them at the next start.
 *
 * @param log told of each machine that could not be stopped
 */
export const endMachines = async (machinesDir: string, log: (line: string) => void): Promise<void> => {
  const machines = (await readdir(machinesDir).catch(() => [])).filter((name) => !name.startsWith('.'))
  for (const name of machines) {
    await cutPower(join(machinesDir, name)).catch((error: unknown) => {
      log(`the machine ${name} could not be stopped: ${error instanceof Error ? error.message : String(error)}`)
    })
  }
}
