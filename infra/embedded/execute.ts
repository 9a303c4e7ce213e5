import { spawn } from 'node:child_process'

/** A program of the machine ended badly; the cause holds what it wrote. */
export class ProgramFailed extends Error {
  override readonly name = 'ProgramFailed'
}

export type ExecuteOptions = {
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Default 60,000; the program is killed when it runs out. */
  readonly timeoutMs?: number
  readonly uid?: number
  readonly gid?: number
}

/** What `execute` keeps of a program's output, in characters. */
const OUTPUT_MAX = 4_000_000

/**
 * Runs a program to its end.
 *
 * @returns what it wrote to standard output
 * @throws ProgramFailed when it cannot be started, fails, or runs out of time
 */
export const execute = (argv: readonly [string, ...string[]], options: ExecuteOptions): Promise<string> =>
  new Promise((resolve, reject) => {
    const [program, ...args] = argv
    const { timeoutMs = 60_000, ...rest } = options
    const stdio = ['ignore', 'pipe', 'pipe'] as const
    const child = spawn(program, args, { ...rest, stdio: [...stdio], timeout: timeoutMs, killSignal: 'SIGKILL' })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => void (stdout = (stdout + text).slice(-OUTPUT_MAX)))
    child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr = (stderr + text).slice(-OUTPUT_MAX)))
    child.on('error', (cause) => reject(new ProgramFailed(`${program} cannot be started`, { cause })))
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(stdout)
      const how = code === null ? `was ended by ${signal}` : `ended with exit code ${code}`
      reject(new ProgramFailed(`${program} ${how}`, { cause: new Error((stderr + stdout).trim().slice(-4_000)) }))
    })
  })
