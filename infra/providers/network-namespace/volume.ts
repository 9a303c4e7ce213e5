import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { link, open, readdir, readFile, realpath, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemProgram } from '../process-host/programs.ts'
import { failedWith } from '../process-host/records.ts'
import { volumeOf } from '../process-host/site.ts'
import { ensure, system } from './ip.ts'

const GIB = 1024 ** 3
const IMAGE = 'volume.img'
const imageOf = (folder: string): string => join(folder, IMAGE)

/** mountinfo writes a space and its kin as octal (proc_pid_mountinfo(5)). */
const isMounted = async (folder: string): Promise<boolean> => {
  const volume = await realpath(volumeOf(folder)).catch(() => undefined)
  if (volume === undefined) return false
  const points = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' ')[4] ?? '')
  const plain = (point: string): string =>
    point.replace(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8)))
  return points.map(plain).includes(volume)
}

const filesIn = async (folder: string): Promise<readonly string[]> => {
  try {
    return await readdir(folder)
  } catch (cause) {
    if (failedWith(cause, 'ENOENT')) return []
    throw new Error(`could not list ${folder}`, { cause })
  }
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

/**
 * A sparse image: the size is a limit, not a reservation. Under its final name it always holds a whole file system, and
 * is never replaced: the first of two workers may have mounted it already.
 */
const makeImage = async (image: string, sizeGib: number): Promise<void> => {
  const making = `${image}.${randomUUID()}`
  try {
    const handle = await open(making, 'w', 0o600)
    try {
      await handle.truncate(sizeGib * GIB)
    } finally {
      await handle.close()
    }
    await system('mkfs.ext4', '-q', '-F', '-m', '0', '-E', 'lazy_itable_init=1,lazy_journal_init=1', making)
    await ensure(() => exists(image), () => link(making, image))
  } finally {
    await rm(making, { force: true })
  }
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

/** Unmounts the machine's volume. */
export const detachVolume = async (folder: string): Promise<void> => {
  const isFree = async (): Promise<boolean> => !(await isMounted(folder))
  // Two workers at once may have mounted it twice.
  while (!(await isFree())) await ensure(isFree, () => system('umount', volumeOf(folder)))
}

/** Unmounts and removes the machine's volume, of either kind. */
export const removeVolume = async (folder: string): Promise<void> => {
  await detachVolume(folder)
  await rm(volumeOf(folder), { recursive: true, force: true })
  for (const file of await filesIn(folder)) {
    if (file.startsWith(IMAGE)) await rm(join(folder, file), { force: true })
  }
}

/** Everything it makes is in a mount namespace of its own, and goes with it however it ends. */
const TRIAL = `set -e
mount -t tmpfs none /tmp; cd /tmp; mkdir at
truncate -s 4M image; mkfs.ext4 -q -F image
mount -o loop image at`

/** Whether an image can be mounted here: found out by doing it once. */
export const canMountImages = (): boolean => {
  try {
    execFileSync(systemProgram('unshare'), ['--mount', systemProgram('sh'), '-c', TRIAL], { stdio: 'ignore', env: {} })
    return true
  } catch {
    return false
  }
}
