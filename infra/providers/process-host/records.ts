import { randomUUID } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { z } from 'zod'

/** Whether a system call failed with this code (`ENOENT`, `EEXIST`, …). */
export const failedWith = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code)

/** Makes what was last created, renamed or removed in the folder durable. */
export const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Writes a file durably; not atomically. */
export const writeSynced = async (path: string, text: string): Promise<void> => {
  const handle = await open(path, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Reads a small JSON file.
 *
 * @returns undefined when there is none
 * @throws when the file is not what `schema` says: somebody else has written there
 */
export const readRecord = async <T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> => {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if (failedWith(cause, 'ENOENT', 'ENOTDIR')) return undefined
    throw new Error(`could not read ${path}`, { cause })
  }
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new Error(`${path} is damaged`, { cause })
  }
}

/**
 * Writes a small JSON file whole or not at all, and durably. The folder must exist.
 *
 * @param isWanted asked when all is ready, which may take as long as the disk takes
 * @returns whether it was
 */
export const writeRecord = async (path: string, record: object, isWanted = (): boolean => true): Promise<boolean> => {
  const beside = `${path}.${randomUUID()}.tmp`
  await writeSynced(beside, JSON.stringify(record))
  if (!isWanted()) {
    await rm(beside, { force: true })
    return false
  }
  await rename(beside, path)
  await syncFolder(dirname(path))
  return true
}

/** Removes a record, or nothing when there is none. */
export const eraseRecord = async (path: string): Promise<void> => {
  await rm(path, { force: true })
}
