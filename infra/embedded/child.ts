import { spawn, type ChildProcess } from 'node:child_process'
import { openSync, closeSync } from 'node:fs'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { endProcess, isAlive, parseStat, type ProcessIdentity } from './process-identity.ts'

export type User = { readonly uid: number; readonly gid: number }

/** A process that the supervisor keeps running. */
export type Child = {
  readonly name: string
  /** Where it listens, for people to read. */
  readonly ports: readonly number[]
  readonly argv: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Whom it runs as; undefined: as the supervisor. */
  readonly user?: User
  readonly stopSignal: 'SIGTERM' | 'SIGINT'
  /** After this time it is killed. */
  readonly stopTimeoutMs: number
  /** How long it may take until it is ready; then it is killed and started again. */
  readonly readyWithinMs: number
  /** Makes its folders and files. Called before every start. */
  readonly prepare?: () => Promise<void>
  /** Whether it does its work at this moment, found out by letting it work. An error counts as no. */
  readonly ready: () => Promise<boolean>
  /** Makes what its users need (databases, accounts). Called after every start, before anyone is told that it is up. */
  readonly provision?: () => Promise<void>
}

/**
 * The child writes its own /proc line before it becomes the program, so there is no moment at which it runs unrecorded,
 * however its supervisor ends. `read` is a built-in, so /proc/self is the shell; pid and start time survive exec.
 */
const RECORD_AND_EXEC =
  'read -r stat < /proc/self/stat && printf "%s\\n%s\\n" "$stat" "$1" >&3 && exec 3>&- && shift && exec "$@"'

const pidFile = (runDir: string, name: string): string => join(runDir, `${name}.pid`)

/**
 * Starts the child in a session of its own, with its output appended to `<logsDir>/<name>.log`.
 *
 * @param stage its place in the order of starting; what is stale is ended in the reverse order
 */
export const spawnChild = (
  child: Child,
  { runDir, logsDir, stage }: { readonly runDir: string; readonly logsDir: string; readonly stage: number },
): ChildProcess => {
  const log = openSync(join(logsDir, `${child.name}.log`), 'a', 0o600)
  const pid = openSync(pidFile(runDir, child.name), 'w', 0o600)
  const howToEnd = `${child.stopSignal} ${child.stopTimeoutMs} ${stage}`
  try {
    return spawn('/bin/sh', ['-c', RECORD_AND_EXEC, 'ccx', howToEnd, ...child.argv], {
      cwd: child.cwd,
      env: child.env,
      detached: true,
      stdio: ['ignore', log, log, pid],
      ...child.user,
    })
  } finally {
    closeSync(log)
    closeSync(pid)
  }
}

export const forgetChild = (runDir: string, name: string): Promise<void> => rm(pidFile(runDir, name), { force: true })

type Stale = {
  readonly name: string
  readonly process: ProcessIdentity
  readonly signal: NodeJS.Signals
  readonly timeoutMs: number
  readonly stage: number
}

const parsePidFile = (name: string, text: string): Stale | undefined => {
  const [stat = '', howToEnd = ''] = text.split('\n')
  const identity = parseStat(stat)?.identity
  const [, asked, timeoutMs, stage] = /^(SIGTERM|SIGINT) (\d+) (\d+)$/.exec(howToEnd) ?? []
  if (identity === undefined || asked === undefined) return undefined
  const signal = asked === 'SIGINT' ? 'SIGINT' : 'SIGTERM'
  return { name, process: identity, signal, timeoutMs: Number(timeoutMs), stage: Number(stage) }
}

/** All that the pid files tell, of children that run and of those that do not. */
const recordedIn = async (
  runDir: string,
): Promise<{ readonly files: readonly string[]; readonly alive: readonly Stale[] }> => {
  const files = (await readdir(runDir).catch((): string[] => [])).filter((file) => file.endsWith('.pid'))
  const recorded = await Promise.all(
    files.map(async (file) => parsePidFile(file.slice(0, -'.pid'.length), await readFile(join(runDir, file), 'utf8'))),
  )
  return { files, alive: recorded.filter((each) => each !== undefined).filter((each) => isAlive(each.process)) }
}

/** The names of the children that run, whoever has started them. */
export const childrenAlive = async (runDir: string): Promise<readonly string[]> =>
  (await recordedIn(runDir)).alive.map(({ name }) => name)

/**
 * Ends the children that a supervisor has left behind (it was killed itself), the last stage first.
 *
 * @param runDir where their pid files are
 * @returns the names of those that still ran
 */
export const endStaleChildren = async (runDir: string): Promise<readonly string[]> => {
  const { files, alive } = await recordedIn(runDir)
  for (const stage of [...new Set(alive.map((each) => each.stage))].toSorted((a, b) => b - a)) {
    const same = alive.filter((each) => each.stage === stage)
    await Promise.all(same.map((each) => endProcess(each.process, each.signal, each.timeoutMs)))
  }
  await Promise.all(files.map((file) => rm(join(runDir, file), { force: true })))
  return alive.map((each) => each.name)
}
