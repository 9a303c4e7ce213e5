import { existsSync } from 'node:fs'
import { CannotProvide, type LinkFaults, type PacketRules } from '../provider.ts'
import { CutRecord, cutFile, FilterRecord, filterFile } from './kept.ts'
import type { MachineRecord } from './machines.ts'
import { needed, networkOf, type Ground, type Parts } from './provider.ts'
import { eraseRecord, readRecord, writeRecord } from './records.ts'

/** Puts the machine on its network: before anything reaches it with those rules that it has, and cut off where it was. */
export const plug = async ({ ground, store }: Parts, record: MachineRecord, network: string): Promise<void> => {
  const { nodeId } = record
  const folder = store.folderOf(nodeId)
  await ground.plug(record, network)
  const rules = await readRecord(filterFile(folder), FilterRecord)
  if (rules !== undefined) await ground.filter?.(nodeId, rules, network)
  const cut = await readRecord(cutFile(folder), CutRecord)
  if (cut !== undefined) await ground.setLink?.(nodeId, cut.direction)
}

/** Removes what lies outside of a machine that is being deleted: a cut of its link. */
export const forgetLink = async ({ ground, store }: Parts, nodeId: string): Promise<void> => {
  if (existsSync(cutFile(store.folderOf(nodeId)))) await ground.setLink?.(nodeId, 'whole')
}

/** Whether packets go both ways between the machine and everybody else. Costs no process. */
export const isConnected = ({ ground, store }: Parts, nodeId: string): (() => boolean) => {
  const isPlugged = ground.link(nodeId)
  const file = cutFile(store.folderOf(nodeId))
  return () => !existsSync(file) && isPlugged()
}

/** Sets the machine's packet filter, now and at every boot. */
export const setFirewall = async (
  parts: Parts,
  filter: NonNullable<Ground['filter']>,
  nodeId: string,
  rules: PacketRules,
): Promise<void> => {
  const record = await needed(parts, nodeId)
  await writeRecord(filterFile(parts.store.folderOf(nodeId)), rules)
  await filter(nodeId, rules, await networkOf(parts, record.networkId))
}

/** Cuts and heals links, where the ground can. */
export const linkFaults = (parts: Parts, setLink: NonNullable<Ground['setLink']>): LinkFaults => ({
  async cut(nodeId, direction) {
    await needed(parts, nodeId)
    if (direction !== 'both' && !parts.ground.capabilities.has('one-way-faults')) {
      throw new CannotProvide('a link cannot be cut in one direction here')
    }
    await writeRecord(cutFile(parts.store.folderOf(nodeId)), { direction })
    await setLink(nodeId, direction)
  },

  async heal(nodeId) {
    await needed(parts, nodeId)
    await setLink(nodeId, 'whole')
    await eraseRecord(cutFile(parts.store.folderOf(nodeId)))
  },
})
