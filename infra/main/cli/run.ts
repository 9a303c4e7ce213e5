import { spawn } from 'node:child_process'
import { givenSettings, inheritedEnvironment } from '../../config.ts'
import { findPrograms } from '../../embedded/programs.ts'
import { openState } from '../../embedded/state.ts'
import { instance, PORTS, RUNNABLE } from './instance.ts'
import { machineNeeds, placeOf, programsPlace, repository } from './place.ts'
import { parseOptions, UsageError, type Command } from './usage.ts'

export const run: Command = async (args) => {
  const { values, positionals } = parseOptions(args, { options: { state: { type: 'string' } }, allowPositionals: true })
  const [service, ...rest] = positionals
  if (service === undefined || rest.length > 0 || !RUNNABLE.includes(service)) {
    throw new UsageError(`run wants the name of one service: ${RUNNABLE.join(', ')}`)
  }
  const place = await placeOf(values.state)
  const inherited = inheritedEnvironment()
  const state = await openState({ dir: place.stateDir, ports: PORTS, wantedPorts: { http: 8080 }, user: place.user })
  const programs = await findPrograms(['postgres', ...machineNeeds(place)], {
    dir: await programsPlace(place),
    env: inherited,
    progress: (line) => console.error(line),
  })
  const { argvOf, environmentOf, prepare } = instance({ state, programs, given: givenSettings(), inherited })
  await prepare()
  const [program, ...programArgs] = argvOf(service)
  const child = spawn(program, programArgs, { cwd: repository, env: environmentOf(service), stdio: 'inherit' })
  // A terminal sends its signals to both of us; anyone else only to this process.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void child.kill(signal))
  return new Promise((resolve, reject) => {
    child.on('error', (cause) => reject(new Error(`${service} cannot be started`, { cause })))
    child.on('exit', (code) => resolve(code ?? 1))
  })
}
