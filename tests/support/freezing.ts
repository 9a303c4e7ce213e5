import { readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { ProcessIdentity } from '../../infra/embedded/process-identity.ts'
import { killProcess, processesAt } from './processes.ts'

/** A server works in a folder of its own on the volume; whatever else runs on a machine works in the volume itself. */
const isServer = (folder: string, pid: number): boolean => {
  try {
    return readlinkSync(`/proc/${pid}/cwd`).startsWith(join(folder, 'volume', '/'))
  } catch {
    return false
  }
}

/**
 * Has processes of a machine stand still while something is done.
 *
 * @param folder the machine's
 * @param which its database server's, or all there are
 * @param work is given what kills those that stand still
 */
export const freezing = async (
  folder: string,
  which: 'servers' | 'everything',
  work: (kill: () => void) => Promise<void> | void,
): Promise<void> => {
  const frozen: ProcessIdentity[] = []
  // Whoever is started while others are stopped is found in the next round.
  for (let round = 0; round < 3; round++) {
    const found = processesAt(folder).map((one) => one.process)
    const meant = which === 'everything' ? found : found.filter(({ pid }) => isServer(folder, pid))
    for (const one of meant) killProcess(one, 'SIGSTOP')
    frozen.push(...meant)
  }
  try {
    await work(() => frozen.forEach((one) => killProcess(one)))
  } finally {
    for (const one of frozen) killProcess(one, 'SIGCONT')
  }
}
