import { stat, statfs } from 'node:fs/promises'
import type { DiskUsage } from '../../host.ts'
import { volumeOf } from './site.ts'

/**
 * How full the machine's volume is.
 *
 * @param folder the machine's
 * @returns undefined where the volume is a folder like any other, whose size nobody limits
 */
export const diskUsageOf = async (folder: string): Promise<DiskUsage | undefined> => {
  const volume = volumeOf(folder)
  const [own, around] = await Promise.all([stat(volume), stat(folder)])
  if (own.dev === around.dev) return undefined
  const { bsize, blocks, bfree, bavail } = await statfs(volume)
  const usedBytes = (blocks - bfree) * bsize
  // What is kept for the system's own user is nothing that anybody here could use.
  return { usedBytes, totalBytes: usedBytes + bavail * bsize }
}
