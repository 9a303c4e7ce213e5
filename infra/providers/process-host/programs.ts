import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

const SYSTEM_DIRS: readonly string[] = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
]

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The PATH of a machine: the given folders, then the system's. */
export const searchPath = (binDirs: readonly string[]): string => [...binDirs, ...SYSTEM_DIRS].join(':')

/** Where a program lies, or undefined. */
export const findProgram = (name: string, binDirs: readonly string[] = []): string | undefined => {
  if (name.includes('/')) return isProgram(name) ? name : undefined
  return [...binDirs, ...SYSTEM_DIRS].map((folder) => join(folder, name)).find(isProgram)
}

/**
 * A program of the operating system by its full path, so that no folder given for databases can stand in its place.
 *
 * @throws when the machine has none
 */
export const systemProgram = (name: string): string => {
  const path = findProgram(name)
  if (path === undefined) throw new Error(`this machine has no program ${name}`)
  return path
}
