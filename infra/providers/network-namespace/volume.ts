import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { open, readFile, realpath, rename, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram, systemProgram } from '../process-host/programs.ts'
import { failedWith } from '../process-host/records.ts'
import { volumeOf } from '../process-host/site.ts'
import { ensure, system } from './ip.ts'

const GIB = 1024 ** 3
const imageOf = (folder: string): string => join(folder, 'volume.img')

/** mountinfo writes a space and its kin as octal (proc_pid_mountinfo(5)). */
const isMounted = async (folder: string): Promise<boolean> => {
  const volume = await realpath(volumeOf(folder)).catch(() => undefined)
  if (volume === undefined) return false
  const points = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' ')[4] ?? '')
  const plain = (point: string): string =>
    point.replace(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8)))
  return points.map(plain).includes(volume)
}

const exists = async (path: string): Promise<boolean> => {
  try {
    await (await open(path, 'r')).close()
    return true
  } catch (cause) {
    if (failedWith(cause, 'ENOENT')) return false
    throw new Error(`could not look at ${path}`, { cause })
  }
}

/** A sparse image: the size is a limit, not a reservation. Under its final name it always holds a whole file system. */
const makeImage = async (image: string, sizeGib: number): Promise<void> => {
  const handle = await open(`${image}.making`, 'w', 0o600)
  try {
    await handle.truncate(sizeGib * GIB)
  } finally {
    await handle.close()
  }
  await system('mkfs.ext4', '-q', '-F', '-m', '0', '-E', 'lazy_itable_init=1,lazy_journal_init=1', `${image}.making`)
  await rename(`${image}.making`, image)
}

/** Mounts the machine's volume, making it first when there is none. */
export const mountImage = async (folder: string, sizeGib: number): Promise<void> => {
  const image = imageOf(folder)
  if (await isMounted(folder)) return
  if (!(await exists(image))) await makeImage(image, sizeGib)
  await ensure(
    () => isMounted(folder),
    () => system('mount', '-o', 'loop,nosuid,nodev,noatime', image, volumeOf(folder)),
  )
  // Databases want their folder empty.
  await rmdir(join(volumeOf(folder), 'lost+found')).catch(() => undefined)
}

/** Unmounts and removes the machine's volume, of either kind. */
export const removeVolume = async (folder: string): Promise<void> => {
  const isFree = async (): Promise<boolean> => !(await isMounted(folder))
  // Two workers at once may have mounted it twice.
  while (!(await isFree())) await ensure(isFree, () => system('umount', volumeOf(folder)))
  await rm(volumeOf(folder), { recursive: true, force: true })
  await rm(imageOf(folder), { force: true })
  await rm(`${imageOf(folder)}.making`, { force: true })
}

/** Whether an image can be mounted here: found out by doing it once, with one of 4 MiB. */
export const canMountImages = (): boolean => {
  if (['mkfs.ext4', 'mount', 'umount'].some((name) => findProgram(name) === undefined)) return false
  const folder = mkdtempSync(join(tmpdir(), 'ccx-loop-'))
  const image = join(folder, 'image')
  const at = join(folder, 'at')
  try {
    const file = openSync(image, 'w')
    ftruncateSync(file, 4 * 1024 * 1024)
    closeSync(file)
    mkdirSync(at)
    execFileSync(systemProgram('mkfs.ext4'), ['-q', '-F', image], { stdio: 'ignore' })
    execFileSync(systemProgram('mount'), ['-o', 'loop', image, at], { stdio: 'ignore' })
    execFileSync(systemProgram('umount'), [at], { stdio: 'ignore' })
    return true
  } catch {
    return false
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
