import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CommandFailed, type RunOptions } from '../../host.ts'
import { isStillOn } from './power-state.ts'
import { findProgram } from './programs.ts'
import { failedWith } from './records.ts'
import { entrance, environment, volumeOf, type Site } from './site.ts'

const TIMEOUT_MS_DEFAULT = 60_000
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024
const STDERR_BYTES_MAX = 64 * 1024

const killGroup = (child: ChildProcess): void => {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if (!failedWith(error, 'ESRCH')) throw error
  }
}

const collect = (stream: Readable, { max, onOverflow }: { max: number; onOverflow?: () => void }): (() => string) => {
  const chunks: Buffer[] = []
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    chunks.push(chunk)
    if (bytes > max && onOverflow !== undefined) onOverflow()
    // Of a stream that only explains, the end is what counts.
    while (onOverflow === undefined && bytes - (chunks[0]?.length ?? 0) > max) bytes -= chunks.shift()?.length ?? 0
  })
  return () => Buffer.concat(chunks).toString('utf8')
}

/** A program may end before it has read all of its input; its exit code then says what that meant. */
const feed = async (stdin: string | Readable, child: ChildProcess): Promise<void> => {
  if (child.stdin === null) throw new Error('BUG: stdin is a pipe')
  try {
    await pipeline(typeof stdin === 'string' ? Readable.from([Buffer.from(stdin)]) : stdin, child.stdin)
  } catch (error) {
    if (!failedWith(error, 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET')) throw error
  }
}

/**
 * Runs a program inside a machine to its end, as the machine's unprivileged user, in a process group of its own that is
 * killed when the time is up, when `signal` aborts, and when the control plane dies.
 *
 * @returns its standard output, empty when `options.stdout` takes it
 * @throws CommandFailed on a non-zero exit (127: no such program) or when it was killed
 */
export const runIn = async (
  site: Site,
  [program, ...args]: readonly [string, ...string[]],
  { stdin, stdout, env, timeoutMs = TIMEOUT_MS_DEFAULT, signal }: RunOptions = {},
): Promise<string> => {
  if (signal?.aborted === true) throw new CommandFailed(program, null, 'it was not started: its time was up already')
  if (findProgram(program, site.binDirs) === undefined) throw new CommandFailed(program, 127, 'no such program')
  const [first = program, ...rest] = [...entrance(site, { bound: true }), program, ...args]
  const child = spawn(first, rest, {
    cwd: volumeOf(site.folder),
    env: environment(site, env),
    detached: true,
    stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  // Who powers the machine off kills what he sees, and sees what was begun before the mark that is looked at here.
  if (!isStillOn(site)) killGroup(child)
  const closed = once(child, 'close').then(([code]: unknown[]) => (typeof code === 'number' ? code : null))
  const stop = (): void => killGroup(child)
  const timer = timeoutMs === Infinity ? undefined : setTimeout(stop, timeoutMs)
  signal?.addEventListener('abort', stop, { once: true })
  try {
    if (child.stdout === null || child.stderr === null) throw new Error('BUG: stdout and stderr are pipes')
    const stderr = collect(child.stderr, { max: STDERR_BYTES_MAX })
    const output = stdout === undefined ? collect(child.stdout, { max: OUTPUT_BYTES_MAX, onOverflow: stop }) : () => ''
    const flows = [
      ...(stdin === undefined ? [] : [feed(stdin, child)]),
      ...(stdout === undefined ? [] : [pipeline(child.stdout, stdout)]),
    ]
    const [exitCode] = await Promise.all([closed, ...flows])
    if (exitCode !== 0) throw new CommandFailed(program, exitCode, stderr())
    return output()
  } catch (cause) {
    stop()
    await closed.catch(() => undefined)
    if (cause instanceof CommandFailed) throw cause
    throw new Error(`${program} could not be run`, { cause })
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
}
