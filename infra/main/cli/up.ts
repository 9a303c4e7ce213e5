import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { access, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { givenSettings } from '../../config.ts'
import { makeStateDir } from '../../embedded/state.ts'
import { placeOf, repository, type Place } from './place.ts'
import { isLocked, lastReport, liveReport, type Report } from './report.ts'
import { superviseInstance, type SuperviseOptions } from './supervise.ts'
import { parseOptions, portOption, UsageError, type Command } from './usage.ts'

export const up: Command = async (args) => {
  const { values } = parseOptions(args, {
    options: {
      state: { type: 'string' },
      port: { type: 'string' },
      separate: { type: 'boolean' },
      foreground: { type: 'boolean' },
    },
  })
  const port = values.port === undefined ? undefined : portOption(values.port)
  checkSettings()
  const place = await placeOf(values.state)
  const separate = values.separate ?? false
  if (await isLocked(place.stateDir)) {
    // Its supervisor may be so young that it has not reported yet.
    while (liveReport(place.stateDir) === undefined && (await isLocked(place.stateDir))) await pause(20)
    return follow(place, { isNew: false, wasRunning: true })
  }
  if (place.because !== undefined) console.log(place.because)
  const isNew = !(await exists(join(place.stateDir, 'secrets', 'admin-password')))
  if (values.foreground === true) return inForeground({ place, port, separate }, isNew)
  await leaveRunning(place, [
    '--state', place.stateDir,
    ...(port === undefined ? [] : ['--port', String(port)]),
    ...(separate ? ['--separate'] : []),
  ])
  return follow(place, { isNew, wasRunning: false })
}

const checkSettings = (): void => {
  try {
    givenSettings()
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : 'the environment is bad', { cause })
  }
}

const exists = (path: string): Promise<boolean> => access(path).then(() => true, () => false)

/** A supervisor in a session of its own: it outlives this command and the terminal. */
const leaveRunning = async ({ stateDir }: Place, args: readonly string[]): Promise<void> => {
  await makeStateDir(stateDir)
  await mkdir(join(stateDir, 'logs'), { recursive: true, mode: 0o700 })
  const logFile = join(stateDir, 'logs', 'supervisor.log')
  const log = await open(logFile, 'a', 0o600)
  const child = spawn(process.execPath, [join(repository, 'infra/main/ccx.ts'), 'supervise', ...args], {
    cwd: repository,
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  })
  await log.close()
  child.unref()
  const ended = { is: false }
  child.on('exit', () => void (ended.is = true))
  // Another `up` may have been faster; then its supervisor reports, and ours ends.
  while (lastReport(stateDir)?.supervisor.pid !== child.pid && liveReport(stateDir) === undefined) {
    if (ended.is) throw new Error(`the supervisor does not start; see ${logFile}`)
    await pause(20)
  }
}

/** Shows what the supervisor reports, until it is done. */
const follow = async (
  place: Place,
  { isNew, wasRunning }: { readonly isNew: boolean; readonly wasRunning: boolean },
): Promise<number> => {
  for (let shown = 0; ; await pause(50)) {
    // Looked at in this order, so that the last words of one that ends are not missed.
    const isAlive = liveReport(place.stateDir) !== undefined
    const report = lastReport(place.stateDir)
    if (report !== undefined && wasRunning && report.phase === 'up') {
      console.log(`it runs already, in ${place.stateDir}`)
      conclude(place, report, false)
      return 0
    }
    for (const line of report?.lines.slice(shown) ?? []) console.log(line)
    shown = report?.lines.length ?? shown
    if (report?.phase === 'up') {
      conclude(place, report, isNew)
      return 0
    }
    if (report?.phase === 'stopping') throw new Error('it is being stopped at this moment')
    if (!isAlive) {
      console.error(`ccx: not started; see ${join(place.stateDir, 'logs')}`)
      return 1
    }
  }
}

const inForeground = async (options: SuperviseOptions, isNew: boolean): Promise<number> => {
  const { place } = options
  const watch = setInterval(() => {
    const report = liveReport(place.stateDir)
    if (report?.phase !== 'up') return
    clearInterval(watch)
    conclude(place, report, isNew)
  }, 50)
  try {
    return await superviseInstance({ ...options, onLine: (line) => console.log(line) })
  } finally {
    clearInterval(watch)
  }
}

const passwordIn = (file: string): string => readFileSync(file, 'utf8').trimEnd()

const conclude = ({ stateDir, option }: Place, { apiUrl, adminLogin }: Report, showsPassword: boolean): void => {
  const file = join(stateDir, 'secrets', 'admin-password')
  console.log('')
  console.log(`  API          ${apiUrl}`)
  console.log(`  API docs     ${apiUrl}/api/docs`)
  console.log(`  admin login  ${adminLogin}`)
  if (showsPassword) console.log(`  password     ${passwordIn(file)}   (shown once; kept in ${file})`)
  else console.log(`  password     in ${file}`)
  console.log(`  next         ./ccx demo${option}`)
}
