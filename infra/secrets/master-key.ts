import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { KEY_BYTES, newKey } from './envelope.ts'

const errorCode = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)

const read = async (path: string): Promise<Buffer | undefined> => {
  try {
    const { mode } = await stat(path)
    // Group-readable is let through: that is how Kubernetes mounts a secret for a process that is not root.
    if ((mode & 0o027) !== 0) throw new Error(`the master key ${path} is open to others: chmod 600 it`)
    const key = Buffer.from((await readFile(path, 'utf8')).trim(), 'base64')
    if (key.length !== KEY_BYTES) throw new Error(`the master key ${path} does not hold ${KEY_BYTES} bytes in base64`)
    return key
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Reads the master key, 32 bytes in base64. When there is no such file a key is generated, written with mode 0600, and
 * kept: processes that start at the same moment all get the same one, and none ever sees half a file.
 *
 * @param path the file; losing it loses every secret that was sealed with it
 * @throws when the file is readable by others or holds something else
 */
export const masterKey = async (path: string): Promise<Buffer> => {
  const there = await read(path)
  if (there !== undefined) return there
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const beside = `${path}.${randomUUID()}`
  const file = await open(beside, 'wx', 0o600)
  try {
    await file.writeFile(`${newKey().toString('base64')}\n`)
    await file.sync()
    // A link, unlike a rename, fails when someone was first.
    await link(beside, path)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  } finally {
    await file.close()
    await rm(beside, { force: true })
  }
  const kept = await read(path)
  if (kept === undefined) throw new Error(`the master key ${path} was removed while it was made`)
  return kept
}
