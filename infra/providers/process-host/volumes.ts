import { chmod, chown, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Provider, VolumeKind } from '../provider.ts'
import type { Machines } from './machines.ts'
import type { Parts } from './provider.ts'
import { eraseRecord, readRecord, writeRecord } from './records.ts'
import { isRoot, volumeOf } from './site.ts'
import { cutPower } from './units.ts'

const VolumeRecord = z.object({
  type: z.string(),
  sizeGib: z.number().int().positive(),
  iops: z.number().int().nonnegative().exactOptional(),
})

const volumeFile = (folder: string): string => join(folder, 'volume.json')

/** The volume that a machine has in its folder. */
export const volumeIn = (folder: string): Promise<VolumeKind | undefined> => readRecord(volumeFile(folder), VolumeRecord)

/** @throws when the machine has none */
export const neededVolume = async ({ folderOf }: Pick<Machines, 'folderOf'>, nodeId: string): Promise<VolumeKind> => {
  const volume = await volumeIn(folderOf(nodeId))
  if (volume === undefined) throw new Error(`the machine ${nodeId} has no volume`)
  return volume
}

type VolumeVerbs = Pick<Provider, 'createVolume' | 'volume' | 'growVolume' | 'changeVolume' | 'deleteVolume'>

/** What can be done to the volume of a machine. */
export const volumeVerbs = (parts: Pick<Parts, 'ground' | 'options' | 'store'>): VolumeVerbs => ({
  async createVolume({ nodeId, ...kind }) {
    const { ground, options, store } = parts
    if ((await store.read(nodeId)) === undefined) throw new Error(`there is no machine ${nodeId}`)
    const folder = store.folderOf(nodeId)
    const volume = (await volumeIn(folder)) ?? VolumeRecord.parse(kind)
    await writeRecord(volumeFile(folder), volume)
    await mkdir(volumeOf(folder), { recursive: true })
    await ground.mount(folder, volume.sizeGib)
    await chmod(volumeOf(folder), 0o700)
    if (options.user !== undefined && isRoot()) await chown(volumeOf(folder), options.user.uid, options.user.gid)
    return { volumeId: nodeId }
  },

  volume: (nodeId) => volumeIn(parts.store.folderOf(nodeId)),

  async growVolume(nodeId, sizeGib) {
    const folder = parts.store.folderOf(nodeId)
    const volume = await neededVolume(parts.store, nodeId)
    // Before it is so: a boot makes good what was cut off.
    if (volume.sizeGib < sizeGib) await writeRecord(volumeFile(folder), { ...volume, sizeGib })
    await parts.ground.grow(folder, Math.max(volume.sizeGib, sizeGib))
  },

  async changeVolume(nodeId, kind) {
    const folder = parts.store.folderOf(nodeId)
    const { sizeGib } = await neededVolume(parts.store, nodeId)
    await writeRecord(volumeFile(folder), { ...kind, sizeGib })
  },

  async deleteVolume(nodeId) {
    const folder = parts.store.folderOf(nodeId)
    if ((await parts.store.read(nodeId)) === undefined) return
    await cutPower(folder)
    await parts.ground.unmount(folder)
    await eraseRecord(volumeFile(folder))
  },
})
