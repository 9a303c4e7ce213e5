import { readdir, readlink } from 'node:fs/promises'
import type { Host } from '../../infra/host.ts'

/** The programs whose working folder is on the machine's volume. */
export const serverProcesses = async ({ dataDir }: Host): Promise<readonly number[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')))
  return pids.filter((_, i) => `${folders[i] ?? ''}/`.startsWith(`${dataDir}/`))
}

/** Sends a signal to all of them, the machine's server and what it has started. */
export const signalServer = async (host: Host, signal: NodeJS.Signals): Promise<void> => {
  const pids = await serverProcesses(host)
  if (pids.length === 0) throw new Error('no server runs on the machine')
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch (cause) {
      // One that has ended by itself in the meantime needs none.
      if (!(cause instanceof Error && 'code' in cause && cause.code === 'ESRCH')) throw cause
    }
  }
}
