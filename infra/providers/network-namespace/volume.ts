import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { link, open, readdir, readFile, realpath, rm, rmdir, statfs, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { systemProgram } from '../process-host/programs.ts'
import { failedWith } from '../process-host/records.ts'
import { volumeOf } from '../process-host/site.ts'
import { ensure, system } from './ip.ts'

const GIB = 1024 ** 3
/** How large a volume may become by its limit alone. */
const ROOM_GIB = 256
const IMAGE = 'volume.img'
const imageOf = (folder: string): string => join(folder, IMAGE)

/** Devices that are mounted at the volume's folder. mountinfo writes a space and its kin as octal (proc_pid_mountinfo(5)). */
const devicesOf = async (folder: string): Promise<readonly string[]> => {
  const volume = await realpath(volumeOf(folder)).catch(() => undefined)
  if (volume === undefined) return []
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
  const plain = (point: string): string =>
    point.replace(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8)))
  return lines.flatMap((line) => {
    const [mount = '', source = ''] = line.split(' - ')
    return plain(mount.split(' ')[4] ?? '') === volume ? [source.split(' ')[1] ?? ''] : []
  })
}

const isMounted = async (folder: string): Promise<boolean> => (await devicesOf(folder)).length > 0

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
 * A sparse image: the size is a limit, not a reservation. It has room to grow into, for a file system that is used is not
 * made larger everywhere. Under its final name it always holds a whole file system, and is never replaced: the first of two
 * workers may have mounted it already.
 */
const makeImage = async (image: string, sizeGib: number): Promise<void> => {
  const making = `${image}.${randomUUID()}`
  try {
    const handle = await open(making, 'w', 0o600)
    try {
      await handle.truncate(Math.max(sizeGib, ROOM_GIB) * GIB)
    } finally {
      await handle.close()
    }
    await system('mkfs.ext4', ...MKFS, making)
    await ensure(() => exists(image), () => link(making, image))
  } finally {
    await rm(making, { force: true })
  }
}

/** By the size that it has room for, everything a file system brings along would be more than a small volume. */
const MKFS = [
  '-q', '-F', '-m', '0', '-i', String(1024 ** 2), '-J', 'size=64', '-E', 'lazy_itable_init=1,lazy_journal_init=1',
] as const

/** Mounts the machine's volume, making it first when there is none. */
export const mountImage = async (folder: string, sizeGib: number): Promise<void> => {
  const image = imageOf(folder)
  if (await isMounted(folder)) return growImage(folder, sizeGib)
  if (!(await exists(image))) await makeImage(image, sizeGib)
  await ensure(
    () => isMounted(folder),
    () => system('mount', '-o', 'loop,nosuid,nodev,noatime,noinit_itable', image, volumeOf(folder)),
  )
  await growImage(folder, sizeGib)
  // Databases want their folder empty.
  await rmdir(join(volumeOf(folder), 'lost+found')).catch(() => undefined)
}

/** How many bytes the file system on a device covers, by its own superblock. */
const coveredBy = async (device: string): Promise<number> => {
  const told = await system('dumpe2fs', '-h', device)
  const field = (name: string): number => Number(new RegExp(`^${name}: +(\\d+)$`, 'm').exec(told)?.[1])
  return field('Block count') * field('Block size')
}

/**
 * Makes a file system larger than it was made. The kernel lets nobody but a root who may exceed limits
 * (CAP_SYS_RESOURCE) do that while it is mounted.
 */
const extend = (device: string, bytes: number): Promise<void> =>
  ensure(async () => (await coveredBy(device)) >= bytes, async () => {
    await system('losetup', '--set-capacity', device)
    await system('resize2fs', device)
  })

/** Whatever a volume has beyond its size is set aside: for nobody, root neither. It lasts as long as the mount. */
const setAside = async (folder: string, device: string, bytes: number): Promise<void> => {
  const { blocks, bsize } = await statfs(volumeOf(folder))
  const reserved = blocks - Math.ceil(bytes / bsize)
  if (reserved >= 0) await writeFile(`/sys/fs/ext4/${basename(device)}/reserved_clusters`, `${reserved}\n`)
}

/**
 * Makes the machine's mounted volume hold so much: a full one too, since nothing in it is touched.
 */
export const growImage = async (folder: string, sizeGib: number): Promise<void> => {
  const bytes = sizeGib * GIB
  const handle = await open(imageOf(folder), 'r+')
  try {
    // Of two workers none takes away what the other has given.
    if ((await handle.stat()).size < bytes) await handle.truncate(bytes)
  } finally {
    await handle.close()
  }
  for (const device of await devicesOf(folder)) {
    await extend(device, bytes)
    await setAside(folder, device, bytes)
  }
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
mount -o loop image at
echo 0 > /sys/fs/ext4/$(basename $(losetup -n -O NAME -j image))/reserved_clusters`

/** Whether an image can be mounted and limited here: found out by doing it once. */
export const canMountImages = (): boolean => {
  try {
    execFileSync(systemProgram('unshare'), ['--mount', systemProgram('sh'), '-c', TRIAL], { stdio: 'ignore', env: {} })
    return true
  } catch {
    return false
  }
}
