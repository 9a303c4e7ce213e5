import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { family, killAll, type FamilyMember } from './test-family.ts'

export type FileResult = {
  readonly path: string
  readonly passed: number
  /** Tests that failed, and one more for a fault of the file as a whole. */
  readonly failed: number
  readonly skipped: number
  /** What the file says it cannot test here, and why: its lines that begin with `SKIPPED `. */
  readonly excuses: readonly string[]
  readonly durationMs: number
  /** What is wrong with the file as a whole; undefined when nothing is. */
  readonly fault: string | undefined
  readonly output: string
}

export type FileOptions = {
  /** What `path` is relative to, and where it runs. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Default 120,000, and what the file says of itself (`// limit: 900 s` in its first lines). */
  readonly limitMs?: number
  /** Ends the file before its time. */
  readonly signal?: AbortSignal
}

const LIMIT_MS = 120_000
/** Processes that are about to end when their test has ended get this long. */
const LEFT_BEHIND_MS = 3_000
const OUTPUT_MAX = 2_000_000

/**
 * Runs one test file in a process of its own, and ends everything that it leaves behind.
 *
 * @param path of the file, relative to `cwd`
 */
export const runTestFile = async (path: string, options: FileOptions): Promise<FileResult> => {
  const { cwd, env, signal } = options
  const limitMs = options.limitMs ?? (await limitOf(join(cwd, path)))
  const startedMs = performance.now()
  const mark = randomUUID()
  const child = spawn(process.execPath, [path], {
    cwd,
    env: { ...env, NO_COLOR: '1', CCX_TEST_FILE: mark },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => void (output = (output + text).slice(-OUTPUT_MAX)))
  }
  const relatives = family(child.pid, mark)
  const ended = new Promise<string | undefined>((resolve) => {
    child.on('error', () => resolve('cannot be started'))
    child.on('exit', (code, by) => {
      if (code === 0) resolve(undefined)
      else resolve(`ended with ${code === null ? by : `exit code ${code}`}`)
    })
  })
  const late = new AbortController()
  const limit = AbortSignal.any([late.signal, ...(signal === undefined ? [] : [signal])])
  const tooLate = pause(limitMs, `did not end within ${limitMs / 1000} s`, { signal: limit })
    .catch(() => 'was interrupted')
  const ending = await Promise.race([ended, tooLate])
  late.abort()
  const ranOut = child.exitCode === null && child.signalCode === null
  const left = await endRest(relatives, ranOut)
  const fault = ending ?? (left.length === 0 ? undefined : `left processes behind: ${left.join(', ')}`)
  return { path, durationMs: performance.now() - startedMs, output, ...verdict(output, fault) }
}

const limitOf = async (path: string): Promise<number> => {
  const head = (await readFile(path, 'utf8').catch(() => '')).split('\n').slice(0, 10).join('\n')
  const seconds = /^\/\/ limit: (\d+) s$/m.exec(head)?.[1]
  return seconds === undefined ? LIMIT_MS : Number(seconds) * 1000
}

/** @returns the names of those that had to be killed although their test had ended by itself */
const endRest = async (relatives: ReturnType<typeof family>, ranOut: boolean): Promise<readonly string[]> => {
  const deadline = performance.now() + (ranOut ? 0 : LEFT_BEHIND_MS)
  let rest: readonly FamilyMember[] = relatives.alive()
  while (rest.length > 0 && performance.now() < deadline) {
    await pause(50)
    rest = relatives.alive()
  }
  await killAll(relatives)
  relatives.close()
  return ranOut ? [] : rest.map(({ name }) => name)
}

const sumOf = (output: string, what: string): number => {
  const lines = output.matchAll(new RegExp(`^\\s*${what}:\\s+(\\d+)\\s*$`, 'gm'))
  return [...lines].reduce((sum, [, count]) => sum + Number(count), 0)
}

type Verdict = Pick<FileResult, 'passed' | 'failed' | 'skipped' | 'excuses' | 'fault'>

/** Reads the totals that uvu prints at the end; they leave skipped tests out. */
const verdict = (output: string, fault: string | undefined): Verdict => {
  const [total, passed, skipped] = [sumOf(output, 'Total'), sumOf(output, 'Passed'), sumOf(output, 'Skipped')]
  const excuses = [...output.matchAll(/^SKIPPED (.+)$/gm)].flatMap(([, why]) => why ?? [])
  const failed = Math.max(total - passed, 0)
  // A failed test explains the exit code.
  const unexplained = failed > 0 && fault === 'ended with exit code 1' ? undefined : fault
  const idle = total + skipped + excuses.length === 0 ? 'ran no test (does it end in `.run()`?)' : undefined
  const shown = unexplained ?? idle
  return { passed, failed: failed + (shown === undefined ? 0 : 1), skipped, excuses, fault: shown }
}
