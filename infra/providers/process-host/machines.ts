import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Holder } from './claims.ts'
import { safeName } from './names.ts'
import { failedWith, readRecord, syncFolder, writeRecord } from './records.ts'

/** The tag of a machine. */
export type MachineRecord = z.infer<typeof MachineRecord>
const MachineRecord = z.object({
  nodeId: z.string(),
  datastoreId: z.string(),
  networkId: z.string(),
  name: z.string(),
  region: z.string(),
  zone: z.string(),
  instance: z.object({ code: z.string(), cpu: z.number(), ramGb: z.number() }),
  privateAddress: z.string(),
})

/** One folder per machine, `<machinesDir>/<nodeId>/`, that is there whole or not at all. */
export type Machines = {
  readonly folderOf: (nodeId: string) => string
  readonly read: (nodeId: string) => Promise<MachineRecord | undefined>
  readonly create: (record: MachineRecord) => Promise<void>
  /** Puts another tag in the place of that of a machine that is there. */
  readonly rewrite: (record: MachineRecord) => Promise<void>
  /** Removes the folder and all in it, or what is left of one. Nothing may be mounted in it any more. */
  readonly remove: (nodeId: string) => Promise<void>
  /** Every machine, half-made and half-removed ones included. */
  readonly holders: () => Promise<readonly Holder[]>
}

const MAKING = '.making'
const REMOVING = '.removing'

/** @param machinesDir an absolute path */
export const machines = (machinesDir: string): Machines => {
  const folderOf = (nodeId: string): string => join(machinesDir, safeName(nodeId))
  const read = (nodeId: string): Promise<MachineRecord | undefined> =>
    readRecord(join(folderOf(nodeId), 'machine.json'), MachineRecord)

  const files = async (): Promise<readonly string[]> => {
    try {
      return await readdir(machinesDir)
    } catch (cause) {
      if (failedWith(cause, 'ENOENT')) return []
      throw new Error(`could not list ${machinesDir}`, { cause })
    }
  }

  /** A folder on its way in or out carries its tag in its name: there may be none inside yet, or any more. */
  const passing = (state: string, { ownerId, datastoreId }: Holder): string =>
    join(machinesDir, `${state}@${safeName(datastoreId)}@${safeName(ownerId)}`)

  const holder = async (file: string): Promise<Holder | undefined> => {
    const [state, datastoreId, ownerId] = file.split('@')
    if (state === MAKING || state === REMOVING) {
      return datastoreId === undefined || ownerId === undefined ? undefined : { datastoreId, ownerId }
    }
    if (file.startsWith('.')) return undefined
    const record = await read(file)
    return record === undefined ? undefined : { ownerId: record.nodeId, datastoreId: record.datastoreId }
  }

  const moveTo = async (from: string, to: string): Promise<boolean> => {
    try {
      await rename(from, to)
      await syncFolder(machinesDir)
      return true
    } catch (cause) {
      if (failedWith(cause, 'ENOENT', 'ENOTEMPTY', 'EEXIST')) return false
      throw new Error(`could not move ${from}`, { cause })
    }
  }

  return {
    folderOf,
    async rewrite(record) {
      await writeRecord(join(folderOf(record.nodeId), 'machine.json'), record)
    },
    read,

    async create(record) {
      const making = passing(MAKING, { ownerId: record.nodeId, datastoreId: record.datastoreId })
      await mkdir(making, { recursive: true })
      await mkdir(join(making, 'units'), { recursive: true, mode: 0o700 })
      await writeRecord(join(making, 'machine.json'), record)
      // The unprivileged user must pass through to the volume, whatever the umask.
      for (const folder of [machinesDir, making]) await chmod(folder, 0o755)
      // Not moved: another worker was faster, with the same machine.
      if (!(await moveTo(making, folderOf(record.nodeId)))) await rm(making, { recursive: true, force: true })
    },

    async remove(nodeId) {
      const record = await read(nodeId)
      if (record !== undefined) {
        const removing = passing(REMOVING, { ownerId: nodeId, datastoreId: record.datastoreId })
        await rm(removing, { recursive: true, force: true })
        await moveTo(folderOf(nodeId), removing)
      }
      const leftovers = (await files()).filter((file) => file.startsWith('.') && file.endsWith(`@${nodeId}`))
      for (const file of leftovers) await rm(join(machinesDir, file), { recursive: true, force: true })
      await syncFolder(machinesDir).catch((error: unknown) => {
        if (!failedWith(error, 'ENOENT')) throw error
      })
    },

    holders: async () => (await Promise.all((await files()).map(holder))).flatMap((one) => one ?? []),
  }
}
