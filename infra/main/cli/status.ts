import { join } from 'node:path'
import { givenSettings, inheritedEnvironment } from '../../config.ts'
import { childrenAlive, type Child } from '../../embedded/child.ts'
import { isAlive } from '../../embedded/process-identity.ts'
import { openState } from '../../embedded/state.ts'
import { instance, PORTS } from './instance.ts'
import { placeOf } from './place.ts'
import { liveReport } from './report.ts'
import { parseOptions, type Command } from './usage.ts'

const HEALTH_TIMEOUT_MS = 5_000

/** The exit code is 0 when everything is well, and 1 else. */
export const status: Command = async (args) => {
  const { values } = parseOptions(args, { options: { state: { type: 'string' } } })
  const place = await placeOf(values.state)
  const report = liveReport(place.stateDir)
  if (report === undefined) {
    const left = await childrenAlive(join(place.stateDir, 'run'))
    if (left.length === 0) console.log(`nothing runs in ${place.stateDir}`)
    else console.log(`the supervisor is gone, but these run: ${left.join(', ')}; ./ccx up or ./ccx down sees to them`)
    return 1
  }
  const state = await openState({ dir: place.stateDir, ports: PORTS, user: place.user })
  // Nothing is started here, so it does not matter where the programs are.
  const programs = { bin: (name: string) => name, rootOf: () => undefined, binDirs: [] }
  const { stages } = instance({ state, programs, given: givenSettings(), inherited: inheritedEnvironment() })
  const afterServices = async (): Promise<void> => undefined
  const modes = await Promise.all([true, false].map((separate) => stages({ separate, afterServices })))
  const children = new Map(modes.flat().flatMap((stage) => stage.children.map((child) => [child.name, child] as const)))

  const rows = await Promise.all(
    report.children.map(async ({ name, state: phase, process, ports, restarts }) => {
      const runs = process !== null && isAlive(process)
      const health = runs ? await healthOf(children.get(name)) : 'down'
      return [name, phase, runs ? String(process.pid) : '-', ports.join(','), String(restarts), health]
    }),
  )
  console.log(`${report.phase}: ${report.apiUrl}, state in ${place.stateDir}, supervisor ${report.supervisor.pid}\n`)
  printTable([['NAME', 'STATE', 'PID', 'PORTS', 'RESTARTS', 'HEALTH'], ...rows])
  return report.phase === 'up' && rows.every((row) => row.at(-1) === 'well') ? 0 : 1
}

const healthOf = async (child: Child | undefined): Promise<'well' | 'ill' | 'unknown'> => {
  if (child === undefined) return 'unknown'
  const limit = AbortSignal.timeout(HEALTH_TIMEOUT_MS)
  const timedOut = new Promise<boolean>((resolve) => limit.addEventListener('abort', () => resolve(false)))
  return (await Promise.race([child.ready().catch(() => false), timedOut])) ? 'well' : 'ill'
}

const printTable = (rows: readonly (readonly string[])[]): void => {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  for (const row of rows) console.log(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd())
}
