import { execFile } from 'node:child_process'
import { access, constants, mkdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import { findProgram, systemProgram } from './programs.ts'
import { entrance, isRoot } from './site.ts'
import type { LocalOptions } from './provider.ts'

const run = promisify(execFile)

/**
 * Why machines cannot be made of processes here, in one sentence, or undefined.
 *
 * @param programs what the operating system must bring
 */
export const whyNot = async (options: LocalOptions, programs: readonly string[]): Promise<string | undefined> => {
  const missing = ['setpriv', 'flock', 'sh', ...programs].find((name) => findProgram(name) === undefined)
  if (missing !== undefined) return `the program ${missing} is not installed`
  if (isRoot() && options.user === undefined) return 'the control plane is root and has no unprivileged user (RUN_AS)'
  try {
    await mkdir(options.machinesDir, { recursive: true, mode: 0o755 })
    await access(options.machinesDir, constants.W_OK)
  } catch {
    return `the folder ${options.machinesDir} cannot be written`
  }
  const [first = '', ...rest] = entrance({ enter: [], user: options.user, libraryPaths: [] }, { bound: true })
  try {
    await run(first, [...rest, systemProgram('test'), '-x', options.machinesDir], { env: {} })
    return undefined
  } catch {
    return `the unprivileged user cannot reach the folder ${options.machinesDir}`
  }
}
