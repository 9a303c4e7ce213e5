import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { glob } from 'node:fs/promises'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { inheritedEnvironment } from '../../config.ts'
import { repository } from './place.ts'
import { parseOptions, type Command } from './usage.ts'

/**
 * Runs the benches below `tests/bench/`, one after the other; each prints its own figures. The machine's load stands
 * beside each, because a figure from a busy machine says little without it.
 */
export const bench: Command = async (args) => {
  const { positionals: patterns } = parseOptions(args, { options: {}, allowPositionals: true })
  const paths: string[] = []
  for await (const path of glob('tests/bench/*.bench.ts', { cwd: repository })) {
    if (patterns.length === 0 || patterns.some((pattern) => path.includes(pattern))) paths.push(path)
  }
  if (paths.length === 0) {
    console.log('no bench was found')
    return 1
  }
  const interrupted = new AbortController()
  const missed: string[] = []
  for (const path of paths.toSorted((a, b) => a.localeCompare(b))) {
    if (interrupted.signal.aborted) break
    console.log(`\n${path}   load ${loads()} on ${availableParallelism()} cores`)
    if (!(await runBench(path, interrupted))) missed.push(path)
    console.log(`load ${loads()} at its end`)
  }
  if (missed.length > 0) console.log(`\nmissed a bar, or failed: ${missed.join(', ')}`)
  return missed.length === 0 && !interrupted.signal.aborted ? 0 : 1
}

const loads = (): string => loadavg().map((load) => load.toFixed(2)).join(' ')

/** @returns whether it ended well and reached its bars */
const runBench = async (path: string, interrupted: AbortController): Promise<boolean> => {
  const env = { ...inheritedEnvironment(), NO_COLOR: '1' }
  const child = spawn(process.execPath, [join(repository, path)], { cwd: repository, env, stdio: 'inherit' })
  const forward = (signal: NodeJS.Signals): void => {
    interrupted.abort()
    // A terminal sends SIGINT to the bench as well, which cleans up by itself.
    if (signal !== 'SIGINT') child.kill(signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, forward)
  const [code]: unknown[] = await once(child, 'exit')
  for (const signal of signals) process.off(signal, forward)
  return code === 0
}
