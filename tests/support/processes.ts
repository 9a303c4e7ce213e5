import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { identityOf, isAlive, type ProcessIdentity } from '../../infra/embedded/process-identity.ts'

const read = (of: (path: string) => string, path: string): string => {
  try {
    return of(path)
  } catch {
    return '' // Gone, or a thread of the kernel.
  }
}

export type Seen = { readonly process: ProcessIdentity; readonly command: string }

/**
 * The processes of this machine that speak of `path`: in their arguments, their environment or as their working folder.
 * (A database server overwrites the first two with a title, but works in its data folder.)
 */
export const processesAt = (path: string): readonly Seen[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const text = (name: string) => read((file) => readFileSync(file, 'latin1'), `/proc/${pid}/${name}`)
      const command = text('cmdline').replaceAll('\0', ' ').trim()
      const speaks = [command, text('environ'), read(readlinkSync, `/proc/${pid}/cwd`)].some((it) => it.includes(path))
      const found = speaks ? identityOf(Number(pid)) : undefined
      return found === undefined ? [] : [{ process: found, command }]
    })

/** Kills exactly this process, if it still runs. */
export const killProcess = (target: ProcessIdentity, signal: NodeJS.Signals = 'SIGKILL'): void => {
  if (!isAlive(target)) return
  try {
    process.kill(target.pid, signal)
  } catch {
    // Gone between the look and the signal.
  }
}

/** Start times are counted in ticks of a hundredth of a second since the machine's start: proc(5). */
export const ageMsOf = ({ startedTicks }: ProcessIdentity): number =>
  Number.parseFloat(readFileSync('/proc/uptime', 'utf8')) * 1_000 - Number(startedTicks) * 10
