import { readdir, readFile } from 'node:fs/promises'
import { until } from './until.ts'
import { failedWith } from './records.ts'

/** A process that cannot be mistaken for a later one with the same pid: field 22 of /proc/<pid>/stat, proc(5). */
export type Process = { readonly pid: number; readonly startTicks: string }

/** In the environment of every program of a machine: which machine it belongs to, as the machine's folder. */
export const MACHINE_MARK = 'CCX_MACHINE'

const KILL_TIMEOUT_MS = 20_000

type Stat = Process & { readonly parent: number; readonly zombie: boolean }

const statOf = async (pid: number): Promise<Stat | undefined> => {
  let text: string
  try {
    text = await readFile(`/proc/${pid}/stat`, 'utf8')
  } catch (cause) {
    if (failedWith(cause, 'ENOENT', 'ESRCH')) return undefined
    throw new Error(`could not look at process ${pid}`, { cause })
  }
  // The program's name stands in brackets and may hold anything, brackets too: what counts begins after the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, parent] = fields
  const startTicks = fields[19]
  if (state === undefined || parent === undefined || startTicks === undefined) return undefined
  return { pid, startTicks, parent: Number(parent), zombie: state === 'Z' || state === 'X' }
}

/** Whether exactly this process runs. */
export const isAlive = async ({ pid, startTicks }: Process): Promise<boolean> => {
  const stat = await statOf(pid)
  return stat !== undefined && !stat.zombie && stat.startTicks === startTicks
}

/** Signals the process, if it still is this one. */
export const signalProcess = async (process_: Process, signal: NodeJS.Signals): Promise<void> => {
  if (!(await isAlive(process_))) return
  try {
    process.kill(process_.pid, signal)
  } catch (cause) {
    if (!failedWith(cause, 'ESRCH')) throw new Error(`could not signal process ${process_.pid}`, { cause })
  }
}

const isMarked = async (pid: number, machine: string): Promise<boolean> => {
  try {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8')
    return environment.split('\0').includes(`${MACHINE_MARK}=${machine}`)
  } catch {
    return false // Gone, or not ours to look at.
  }
}

const everyProcess = async (): Promise<readonly Stat[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const stats = await Promise.all(pids.map(statOf))
  return stats.flatMap((stat) => (stat === undefined || stat.zombie ? [] : [stat]))
}

const withDescendants = (roots: ReadonlySet<number>, all: readonly Stat[]): readonly Process[] => {
  const found = new Set(roots)
  for (let before = -1; before !== found.size; ) {
    before = found.size
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid)
  }
  return all.filter(({ pid }) => found.has(pid))
}

/**
 * The processes of a machine: its recorded units, those that carry its mark, and their descendants. (A server may
 * overwrite its environment with a title, and then only its record or its parent tells whose it is.)
 */
const processesOf = async (machine: string, units: readonly Process[]): Promise<readonly Process[]> => {
  const all = await everyProcess()
  const marked = await Promise.all(all.map(({ pid }) => isMarked(pid, machine)))
  const isUnit = (one: Process): boolean =>
    units.some(({ pid, startTicks }) => pid === one.pid && startTicks === one.startTicks)
  return withDescendants(new Set(all.filter((one, i) => marked[i] || isUnit(one)).map(({ pid }) => pid)), all)
}

/** The process and everything below it. */
export const familyOf = async (process_: Process): Promise<readonly Process[]> =>
  (await isAlive(process_)) ? withDescendants(new Set([process_.pid]), await everyProcess()) : []

/** Waits until none of these processes runs. */
export const gone = async (processes: readonly Process[], withinMs: number): Promise<boolean> =>
  until(async () => !(await Promise.all(processes.map(isAlive))).includes(true), withinMs)

/** Kills them at once and waits until they are gone. */
export const kill = async (processes: readonly Process[]): Promise<void> => {
  await Promise.all(processes.map((one) => signalProcess(one, 'SIGKILL')))
  if (!(await gone(processes, KILL_TIMEOUT_MS))) throw new Error('a killed process does not end')
}

/**
 * Ends every process of a machine, at once, and whatever it starts meanwhile.
 *
 * @param machine the machine's folder
 * @param units what its units were last started as
 */
export const killMachine = async (machine: string, units: readonly Process[]): Promise<void> => {
  for (let round = 0; round < 10; round++) {
    const processes = await processesOf(machine, units)
    if (processes.length === 0) return
    await kill(processes)
  }
  throw new Error(`the programs of ${machine} come back as fast as they are killed`)
}

/** The processes that have these pids at the moment. */
export const processesByPid = async (pids: readonly number[]): Promise<readonly Process[]> =>
  (await Promise.all(pids.map(statOf))).flatMap((stat) => stat ?? [])
