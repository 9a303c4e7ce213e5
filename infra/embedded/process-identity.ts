import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'

/**
 * A process as no other can be mistaken for it: process ids are used again, but not with the same start time
 * within one boot of the machine.
 */
const ProcessIdentity = z.object({ pid: z.number().int().min(2), startedTicks: z.string(), bootId: z.string() })
export type ProcessIdentity = Readonly<z.infer<typeof ProcessIdentity>>

const textOf = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

const bootId = (): string => (textOf('/proc/sys/kernel/random/boot_id') ?? '').trim()

/**
 * Reads a line of `/proc/<pid>/stat` (proc(5): the name in parentheses may hold anything; the start time is field 22).
 *
 * @returns who it is and whether it still runs; undefined for any other text
 */
export const parseStat = (stat: string): { readonly identity: ProcessIdentity; readonly runs: boolean } | undefined => {
  const end = stat.lastIndexOf(')')
  const pid = Number.parseInt(stat, 10)
  const fields = stat.slice(end + 2).trim().split(' ')
  const [state, startedTicks] = [fields[0], fields[19]]
  if (end < 0 || !Number.isInteger(pid) || state === undefined || startedTicks === undefined) return undefined
  return { identity: { pid, startedTicks, bootId: bootId() }, runs: state !== 'Z' && state !== 'X' }
}

/** Who has this process id at present; undefined when nobody has, or a dead process that nobody has waited for. */
export const identityOf = (pid: number): ProcessIdentity | undefined => {
  const stat = textOf(`/proc/${pid}/stat`)
  const parsed = stat === undefined ? undefined : parseStat(stat)
  return parsed?.runs === true ? parsed.identity : undefined
}

export const ownIdentity = (): ProcessIdentity => {
  const identity = identityOf(process.pid)
  if (identity === undefined) throw new Error('BUG: this process does not run, or /proc is not mounted')
  return identity
}

export const isAlive = (process: ProcessIdentity): boolean => {
  const present = identityOf(process.pid)
  return present !== undefined && present.startedTicks === process.startedTicks && present.bootId === process.bootId
}

/** Reads what `JSON.stringify` made of an identity; undefined for anything else. */
export const parseIdentity = (text: string): ProcessIdentity | undefined => {
  try {
    return ProcessIdentity.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

const signalTo = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch {
    // Gone already, which is what was wanted.
  }
}

/**
 * Ends a process that need not be a child of ours, and waits until it is gone.
 *
 * @param signal what it understands as a request to end
 * @param timeoutMs after this time it is killed, and its process group with it
 */
export const endProcess = async (target: ProcessIdentity, signal: NodeJS.Signals, timeoutMs: number): Promise<void> => {
  if (!isAlive(target)) return
  signalTo(target.pid, signal)
  const deadline = performance.now() + timeoutMs
  while (isAlive(target)) {
    if (performance.now() > deadline) {
      signalTo(-target.pid, 'SIGKILL')
      signalTo(target.pid, 'SIGKILL')
    }
    await pause(20)
  }
}
