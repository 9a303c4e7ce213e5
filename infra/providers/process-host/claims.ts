import { randomUUID } from 'node:crypto'
import { link, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { safeName } from './names.ts'
import { failedWith, readRecord, syncFolder, writeSynced } from './records.ts'

/** For whom something is held: a node's or a network's id, and the datastore it belongs to. */
export type Holder = z.infer<typeof Holder>
const Holder = z.object({ ownerId: z.string(), datastoreId: z.string() })

/** Things of which there is one each (addresses, subnets), taken by whoever comes first. One file per thing held. */
export type Claims = {
  /** The first free candidate, for ever after the same for this holder; undefined when none is free. */
  readonly take: (
    holder: Holder,
    candidates: Iterable<string>,
    isFree: (name: string) => Promise<boolean>,
  ) => Promise<string | undefined>
  readonly heldBy: (ownerId: string) => Promise<string | undefined>
  readonly release: (ownerId: string) => Promise<void>
  /** Everyone who holds something, or died while he took it. */
  readonly holders: () => Promise<readonly Holder[]>
}

type Entry = { readonly file: string; readonly holder: Holder; readonly held: boolean }

const halfTaken = ({ ownerId, datastoreId }: Holder): string =>
  `.${safeName(datastoreId)}@${safeName(ownerId)}@${randomUUID()}`

const holderOfHalf = (file: string): Holder | undefined => {
  const [datastoreId, ownerId] = file.slice(1).split('@')
  return datastoreId === undefined || ownerId === undefined ? undefined : { ownerId, datastoreId }
}

/** @param folder where the claims are kept; made when needed */
export const claims = (folder: string): Claims => {
  const entry = async (file: string): Promise<Entry | undefined> => {
    const held = !file.startsWith('.')
    const holder = held ? await readRecord(join(folder, file), Holder) : holderOfHalf(file)
    return holder === undefined ? undefined : { file, holder, held }
  }

  const entries = async (): Promise<readonly Entry[]> => {
    try {
      return (await Promise.all((await readdir(folder)).map(entry))).flatMap((one) => one ?? [])
    } catch (cause) {
      if (failedWith(cause, 'ENOENT')) return []
      throw new Error(`could not list ${folder}`, { cause })
    }
  }

  const takeOne = async (name: string, holder: Holder): Promise<boolean> => {
    const beside = join(folder, halfTaken(holder))
    await writeSynced(beside, JSON.stringify(holder))
    try {
      // link(2) fails when the name is taken, and brings the content along: a claim always says whose it is.
      await link(beside, join(folder, safeName(name)))
      await syncFolder(folder)
      return true
    } catch (cause) {
      if (!failedWith(cause, 'EEXIST')) throw new Error(`could not claim ${name}`, { cause })
      return (await readRecord(join(folder, name), Holder))?.ownerId === holder.ownerId
    } finally {
      await rm(beside, { force: true })
    }
  }

  const heldBy = async (ownerId: string): Promise<string | undefined> =>
    (await entries()).find(({ held, holder }) => held && holder.ownerId === ownerId)?.file

  return {
    heldBy,
    async take(holder, candidates, isFree) {
      const before = await heldBy(holder.ownerId)
      if (before !== undefined) return before
      await mkdir(folder, { recursive: true, mode: 0o755 })
      for (const name of candidates) if ((await isFree(name)) && (await takeOne(name, holder))) return name
      return undefined
    },
    async release(ownerId) {
      const own = (await entries()).filter(({ holder }) => holder.ownerId === ownerId)
      for (const { file } of own) await rm(join(folder, file), { force: true })
    },
    holders: async () => (await entries()).map(({ holder }) => holder),
  }
}
