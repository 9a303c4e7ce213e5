import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { endStaleChildren } from '../../embedded/child.ts'
import { endProcess, isAlive } from '../../embedded/process-identity.ts'
import { endMachines } from './machines.ts'
import { placeOf } from './place.ts'
import { liveReport } from './report.ts'
import { parseOptions, type Command } from './usage.ts'

/** Longer than any child may take to end. */
const STOP_TIMEOUT_MS = 120_000

export const down: Command = async (args) => {
  const { values } = parseOptions(args, { options: { state: { type: 'string' } } })
  const { stateDir } = await placeOf(values.state)
  const report = liveReport(stateDir)
  if (report !== undefined) {
    console.log('stopping')
    await endProcess(report.supervisor, 'SIGTERM', STOP_TIMEOUT_MS)
    while (isAlive(report.supervisor)) await pause(20)
  }
  // Without a supervisor (it was killed) its children and the machines may run all the same.
  const stale = await endStaleChildren(join(stateDir, 'run'))
  await endMachines(join(stateDir, 'machines'), console.log)
  if (stale.length > 0) console.log(`ended ${stale.join(', ')}`)
  const ranNothing = report === undefined && stale.length === 0
  console.log(ranNothing ? `nothing runs in ${stateDir}` : `stopped; the data stays in ${stateDir}`)
  return 0
}
