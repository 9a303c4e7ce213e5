import { glob } from 'node:fs/promises'
import { join } from 'node:path'
import { inheritedEnvironment, testTargets } from '../../config.ts'
import { execute } from '../../embedded/execute.ts'
import { findPrograms } from '../../embedded/programs.ts'
import { machineNeeds, placeOf, programsPlace, repository } from './place.ts'
import { runTestFile, type FileResult } from './test-file.ts'
import { parseOptions, type Command } from './usage.ts'

const AT_ONCE = 2

export const test: Command = async (args) => {
  const { positionals: patterns } = parseOptions(args, { options: {}, allowPositionals: true })
  const interrupted = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort())
  await getPrograms()
  const checks = patterns.length === 0 ? await runChecks(interrupted.signal) : 0
  return runTests(repository, patterns, { failedBefore: checks, signal: interrupted.signal })
}

/** What the tests need is fetched before the first of them, or its time limit would have to allow for that. */
const getPrograms = async (): Promise<void> => {
  const place = await placeOf(undefined)
  await findPrograms(
    ['postgres', 'nats-server', 'mariadb', 'dns-server', ...machineNeeds(place)],
    { dir: await programsPlace(place), env: inheritedEnvironment(), progress: (line) => console.log(line) },
  )
}

const CHECKS: readonly (readonly [name: string, program: string, ...args: readonly string[]])[] = [
  ['types', 'tsc', '-p', 'tsconfig.json'],
  ['types of domain', 'tsc', '-p', 'domain/tsconfig.json'],
  ['types of sagas', 'tsc', '-p', 'sagas/tsconfig.json'],
  ['lint', 'oxlint', '--type-aware'],
]

/** @returns how many failed */
const runChecks = async (signal: AbortSignal): Promise<number> => {
  let failed = 0
  const bin = join(repository, 'node_modules/.bin')
  const inherited = inheritedEnvironment()
  const env = { ...inherited, PATH: `${bin}:${inherited['PATH'] ?? ''}`, NO_COLOR: '1' }
  for (const [name, program, ...args] of CHECKS) {
    if (signal.aborted) break
    try {
      await execute([join(bin, program), ...args], { env, cwd: repository, timeoutMs: 300_000 })
      console.log(`ok    ${name}`)
    } catch (error) {
      failed += 1
      console.log(`FAIL  ${name}`)
      console.log(error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error))
    }
  }
  return failed
}

export type RunTestsOptions = {
  /** Checks that have failed already and count with the failures. */
  readonly failedBefore: number
  readonly signal?: AbortSignal
}

/**
 * Runs the test files below `<root>/tests/`, two at once, those below `tests/e2e/` last and one by one.
 * The last line it prints is `N passed, N failed`.
 *
 * @param patterns only files whose path holds one of these; none: all
 * @returns the exit code: 0 when something ran and nothing failed
 */
export const runTests = async (
  root: string,
  patterns: readonly string[],
  { failedBefore, signal }: RunTestsOptions,
): Promise<number> => {
  const all: string[] = []
  for await (const path of glob('tests/**/*.test.ts', { cwd: root })) all.push(path)
  const paths = all
    .filter((path) => patterns.length === 0 || patterns.some((pattern) => path.includes(pattern)))
    .toSorted((a, b) => a.localeCompare(b))
  const isWhole = (path: string): boolean => path.startsWith('tests/e2e/')
  const env = { ...inheritedEnvironment(), ...testTargets() }
  const results: FileResult[] = []
  const run = async (path: string): Promise<void> => {
    const result = await runTestFile(path, { cwd: root, env, ...(signal === undefined ? {} : { signal }) })
    results.push(result)
    show(result)
  }
  await inParallel(paths.filter((path) => !isWhole(path)), AT_ONCE, run, signal)
  await inParallel(paths.filter(isWhole), 1, run, signal)

  const passed = results.reduce((sum, result) => sum + result.passed, 0)
  let failed = failedBefore + results.reduce((sum, result) => sum + result.failed, 0)
  const bad = results.filter((result) => result.failed > 0).map((result) => result.path)
  if (bad.length > 0) console.log(`\nfailed: ${bad.join(', ')}`)
  if (signal?.aborted === true) failed += say('interrupted before the end')
  else if (passed + failed === 0) failed += say('no test was found')
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

const say = (line: string): 1 => {
  console.log(line)
  return 1
}

const inParallel = async (
  paths: readonly string[],
  count: number,
  run: (path: string) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const queue = [...paths]
  const worker = async (): Promise<void> => {
    for (let path = queue.shift(); path !== undefined && signal?.aborted !== true; path = queue.shift()) await run(path)
  }
  await Promise.all(Array.from({ length: count }, worker))
}

const show = ({ path, passed, failed, skipped, excuses, durationMs, fault, output }: FileResult): void => {
  const failures = failed > 0 ? `, ${failed} failed` : ''
  const skips = skipped > 0 ? `, ${skipped} skipped` : ''
  const seconds = (durationMs / 1000).toFixed(1)
  console.log(`${failed > 0 ? 'FAIL' : 'ok  '}  ${path}  ${passed} passed${failures}${skips}  ${seconds} s`)
  for (const excuse of excuses) console.log(`      skipped: ${excuse}`)
  if (failed === 0) return
  console.log(output.trimEnd())
  if (fault !== undefined) console.log(`${path} ${fault}`)
}
