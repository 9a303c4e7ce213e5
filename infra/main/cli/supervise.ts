import { givenSettings, inheritedEnvironment } from '../../config.ts'
import { ownIdentity } from '../../embedded/process-identity.ts'
import { findPrograms, type NeedName } from '../../embedded/programs.ts'
import { makeStateDir, openState } from '../../embedded/state.ts'
import { supervisor, type ChildStatus, type Supervisor } from '../../embedded/supervisor.ts'
import { instance, PORTS } from './instance.ts'
import { endMachines } from './machines.ts'
import { machineNeeds, placeOf, programsPlace, type Place } from './place.ts'
import { takeLock, writeReport, type Report } from './report.ts'
import { parseOptions, portOption, UsageError, type Command } from './usage.ts'

/** What `up` passes on. */
export type SuperviseOptions = {
  readonly place: Place
  readonly port: number | undefined
  readonly separate: boolean
  /** Told of each line as it is reported. */
  readonly onLine?: (line: string) => void
}

/** Runs in the background for as long as the instance is up. */
export const supervise: Command = async (args) => {
  const { values } = parseOptions(args, {
    options: { state: { type: 'string' }, port: { type: 'string' }, separate: { type: 'boolean' } },
  })
  if (values.state === undefined) throw new UsageError('--state is missing')
  return superviseInstance({
    place: await placeOf(values.state),
    port: values.port === undefined ? undefined : portOption(values.port),
    separate: values.separate ?? false,
    onLine: (line) => console.log(`${new Date().toISOString()} ${line}`),
  })
}

/**
 * Starts an instance and keeps it running until a signal ends it.
 *
 * @returns the exit code
 */
export const superviseInstance = async (options: SuperviseOptions): Promise<number> => {
  const { place } = options
  if (!(await takeLock(place.stateDir))) throw new Error(`an instance runs already in ${place.stateDir}`)
  await makeStateDir(place.stateDir)
  const report = reporter(options)
  const ending = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => ending.abort())
  let running: Supervisor | undefined
  try {
    running = await prepare(options, report)
    await Promise.race([running.start(), aborted(ending.signal)])
    if (!ending.signal.aborted) report.become('up')
    await aborted(ending.signal)
    report.become('stopping')
    return 0
  } catch (error) {
    for (const line of linesOf(error)) report.line(line)
    report.become('failed')
    return 1
  } finally {
    await running?.stop()
  }
}

const prepare = async ({ place, port, separate }: SuperviseOptions, report: Reporter): Promise<Supervisor> => {
  const given = givenSettings()
  const inherited = inheritedEnvironment()
  const state = await openState({
    dir: place.stateDir,
    ports: PORTS,
    user: place.user,
    wantedPorts: { http: 8080 },
    ...(port === undefined ? {} : { fixedPorts: { http: port } }),
  })
  const programs = await findPrograms(needsOf(given, place), {
    dir: await programsPlace(place),
    env: inherited,
    progress: report.line,
  })
  const { stages, apiUrl } = instance({ state, programs, given, inherited })
  report.address(apiUrl, given['ADMIN_LOGIN'])
  report.line('starting PostgreSQL, NATS, MariaDB, the event store, DNS and the services')
  return supervisor({
    stages: await stages({ separate, afterServices: () => endMachines(state.machinesDir, report.line) }),
    runDir: state.runDir,
    logsDir: state.logsDir,
    onChange: report.children,
    log: report.line,
  })
}

const needsOf = (given: Readonly<Record<string, string>>, place: Place): readonly NeedName[] => [
  // The machines run it too, so it is needed even where the stores are somewhere else.
  'postgres',
  ...(given['NATS_URL'] === undefined ? ['nats-server' as const] : []),
  ...(given['CMON_DB_URL'] === undefined ? ['mariadb' as const] : []),
  ...machineNeeds(place),
]

type Reporter = {
  readonly line: (line: string) => void
  readonly become: (phase: Report['phase']) => void
  readonly children: (children: readonly ChildStatus[]) => void
  readonly address: (apiUrl: string, adminLogin: string | undefined) => void
}

/** Keeps the file up to date from which the other commands learn how far we are. */
const reporter = ({ place, onLine }: SuperviseOptions): Reporter => {
  let report: Report = {
    supervisor: ownIdentity(), phase: 'starting', lines: [], apiUrl: '', adminLogin: 'admin@ccx.test', children: [],
  }
  let told = new Set<string>()
  const change = (part: Partial<Report>): void => {
    report = { ...report, ...part }
    writeReport(place.stateDir, report)
  }
  const line = (text: string): void => {
    onLine?.(text)
    change({ lines: [...report.lines, text].slice(-200) })
  }
  change({})
  return {
    line,
    become: (phase) => change({ phase }),
    address: (apiUrl, adminLogin) => change({ apiUrl, ...(adminLogin === undefined ? {} : { adminLogin }) }),
    children: (children) => {
      change({ children: children.map((child) => ({ ...child })) })
      const up = new Set(children.filter((child) => child.state === 'up').map((child) => child.name))
      for (const name of up) if (!told.has(name)) line(`${name} is up`)
      told = up
    },
  }
}

const linesOf = (error: unknown): readonly string[] =>
  error instanceof Error ? [error.message, ...(error.cause === undefined ? [] : linesOf(error.cause))] : [String(error)]

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
