import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { MachineSpec } from '../provider.ts'
import { fenceFile, offFile } from './kept.ts'
import { plug } from './links.ts'
import { markOff, markOn } from './power-state.ts'
import { needed, networkOf, siteOf, type Parts } from './provider.ts'
import { eraseRecord, failedWith, syncFolder, writeRecord } from './records.ts'
import { cutPower, disableUnits, startEnabled } from './units.ts'
import { neededVolume } from './volumes.ts'

/** Powers the machine on. One that was fenced forgets first what it is to run. */
export const boot = async (parts: Parts, nodeId: string): Promise<void> => {
  const { ground, store } = parts
  const record = await needed(parts, nodeId)
  const folder = store.folderOf(nodeId)
  if (existsSync(fenceFile(folder))) {
    // For good before the mark goes: a boot that is cut off here must not be followed by one that starts them.
    await disableUnits(folder)
    await markOff(folder)
    await eraseRecord(fenceFile(folder))
  }
  await eraseRecord(offFile(folder))
  const network = await networkOf(parts, record.networkId)
  await ground.raiseNetwork(record.networkId, network)
  await plug(parts, record, network)
  const { sizeGib } = await neededVolume(store, nodeId)
  await ground.mount(folder, sizeGib)
  await markOn(folder)
  await startEnabled(siteOf(parts, record))
}

/** Powers the machine off; nothing is left of it but what it stored. */
export const halt = async (
  { ground, store }: Parts,
  nodeId: string,
  { staysOff = false }: { readonly staysOff?: boolean } = {},
): Promise<void> => {
  const folder = store.folderOf(nodeId)
  // First, so that what is cut off in the middle is not booted with all the others.
  if (staysOff && (await store.read(nodeId)) !== undefined) await writeRecord(offFile(folder), {})
  await markOff(folder)
  await cutPower(folder)
  await ground.unplug(nodeId)
  await ground.detach(folder)
  const record = await store.read(nodeId)
  if (record !== undefined) await ground.lowerNetwork(record.networkId)
}

/**
 * Leaves the mark of a fence. It holds at once, for every process of this machine.
 *
 * @returns what makes it outlast a crash; undefined when the machine is gone
 */
const markFenced = async (folder: string): Promise<(() => Promise<void>) | undefined> => {
  const handle = await open(fenceFile(folder), 'a', 0o600).catch((cause: unknown) => {
    if (failedWith(cause, 'ENOENT', 'ENOTDIR')) return undefined
    throw new Error('the mark of a fence could not be left', { cause })
  })
  if (handle === undefined) return undefined
  return async () => {
    try {
      await handle.sync()
      await syncFolder(folder)
    } finally {
      await handle.close()
    }
  }
}

/**
 * Powers the machine off from outside. The volume stays mounted until the next boot or halt: to write out what is in it would
 * take as long as it takes.
 */
export const fence = async ({ ground, store }: Parts, nodeId: string): Promise<void> => {
  const folder = store.folderOf(nodeId)
  if ((await store.read(nodeId)) === undefined) return
  // First the mark, then the kill: who begins a program at this moment sees the one or is met by the other.
  const keep = await markFenced(folder)
  if (keep === undefined) return
  const done = await Promise.allSettled([keep(), cutPower(folder), ground.unplug(nodeId)])
  for (const one of done) if (one.status === 'rejected') throw one.reason
}

/** Gives the machine another size, off and on again for it, and leaves it on. */
export const resize = async (
  parts: Parts,
  nodeId: string,
  { code, cpu, ramGb }: MachineSpec['instance'],
): Promise<void> => {
  const record = await needed(parts, nodeId)
  const { instance } = record
  if (instance.code !== code || instance.cpu !== cpu || instance.ramGb !== ramGb) {
    await halt(parts, nodeId)
    await parts.store.rewrite({ ...record, instance: { code, cpu, ramGb } })
  }
  await boot(parts, nodeId)
}
