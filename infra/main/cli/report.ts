import { connect, createServer } from 'node:net'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { isAlive } from '../../embedded/process-identity.ts'

const Process = z.object({ pid: z.number().int(), startedTicks: z.string(), bootId: z.string() })

/** What the supervisor tells the other commands, through a file. */
const Report = z.object({
  supervisor: Process,
  phase: z.enum(['starting', 'up', 'stopping', 'failed']),
  /** What has been done so far, for people to read. */
  lines: z.array(z.string()),
  apiUrl: z.string(),
  adminLogin: z.string(),
  children: z.array(
    z.object({
      name: z.string(),
      state: z.enum(['waiting', 'starting', 'up', 'backing-off', 'stopped']),
      process: Process.nullable(),
      restarts: z.number().int(),
      ports: z.array(z.number().int()).readonly(),
    }),
  ).readonly(),
})
export type Report = z.infer<typeof Report>

const reportFile = (stateDir: string): string => join(stateDir, 'run', 'report.json')

/** Written whole: readers look at any moment. */
export const writeReport = (stateDir: string, report: Report): void => {
  mkdirSync(join(stateDir, 'run'), { recursive: true, mode: 0o700 })
  writeFileSync(`${reportFile(stateDir)}.new`, JSON.stringify(report), { mode: 0o600 })
  renameSync(`${reportFile(stateDir)}.new`, reportFile(stateDir))
}

/** What the last supervisor has said last, whether or not it still runs; undefined when there was none. */
export const lastReport = (stateDir: string): Report | undefined => {
  try {
    return Report.safeParse(JSON.parse(readFileSync(reportFile(stateDir), 'utf8'))).data
  } catch {
    return undefined
  }
}

/** What the supervisor says; undefined when it does not run. */
export const liveReport = (stateDir: string): Report | undefined => {
  const report = lastReport(stateDir)
  return report !== undefined && isAlive(report.supervisor) ? report : undefined
}

/** A name in the kernel, which falls with the process that holds it, however that one ends. */
const lockName = (stateDir: string): string => `\0ccx-${createHash('sha256').update(stateDir).digest('hex')}`

/**
 * Makes this process the one supervisor of a state folder.
 *
 * @returns false when another one is
 */
export const takeLock = async (stateDir: string): Promise<boolean> => {
  const server = createServer((socket) => socket.destroy()).listen(lockName(stateDir))
  try {
    await once(server, 'listening')
    server.unref()
    return true
  } catch {
    return false
  }
}

/** Whether some process is the supervisor of a state folder. */
export const isLocked = async (stateDir: string): Promise<boolean> => {
  const socket = connect(lockName(stateDir))
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
