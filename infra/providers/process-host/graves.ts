import { createHash } from 'node:crypto'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CannotProvide, type Provider } from '../provider.ts'
import { failedWith, writeSynced } from './records.ts'

/** Longer than any order can be on its way. */
const KEPT_MS = 24 * 60 * 60 * 1_000

type Verbs = Pick<
  Provider,
  | 'createNetwork'
  | 'deleteNetwork'
  | 'createMachine'
  | 'deleteMachine'
  | 'createVolume'
  | 'allocateAddress'
  | 'boot'
  | 'resize'
>

/** One empty file for each id that was deleted, under a name that does not tell the id. */
const graves = (folder: string) => {
  const fileOf = (id: string): string => join(folder, createHash('sha256').update(id).digest('hex'))
  const ageMs = (file: string): Promise<number> => stat(file).then(({ mtimeMs }) => Date.now() - mtimeMs, () => 0)
  const clearOld = async (): Promise<void> => {
    for (const name of await readdir(folder)) {
      const file = join(folder, name)
      if ((await ageMs(file)) > KEPT_MS) await rm(file, { force: true })
    }
  }
  return {
    bury: async (id: string): Promise<void> => {
      await mkdir(folder, { recursive: true, mode: 0o755 })
      await writeSynced(fileOf(id), '')
      await clearOld()
    },
    holds: (id: string): Promise<boolean> =>
      stat(fileOf(id)).then(
        () => true,
        (cause: unknown) => {
          if (failedWith(cause, 'ENOENT', 'ENOTDIR')) return false
          throw new Error('could not see what was deleted', { cause })
        },
      ),
  }
}

/**
 * The same verbs, but what was deleted stays so. An order to make something may come again after the order to delete it:
 * a worker died before it could say that it was done, or stood still for longer than anyone waited for it. It is refused;
 * and who was in the midst of making finds the grave at the end, and removes what he made.
 *
 * @param folder where the graves are
 */
export const onceOnly = (verbs: Verbs, folder: string): Verbs => {
  const { bury, holds } = graves(folder)
  const refuse = (): never => {
    throw new CannotProvide('it has been deleted')
  }
  const unlessBuried = async <T>(id: string, make: () => Promise<T>, remove: () => Promise<void>): Promise<T> => {
    if (await holds(id)) refuse()
    const [made] = await Promise.allSettled([make()])
    if (await holds(id)) {
      await remove()
      refuse()
    }
    if (made.status === 'rejected') throw made.reason
    return made.value
  }
  const ofNode = <T>(nodeId: string, make: () => Promise<T>): Promise<T> =>
    unlessBuried(nodeId, make, () => verbs.deleteMachine(nodeId))
  return {
    createNetwork: (spec) =>
      unlessBuried(spec.networkId, () => verbs.createNetwork(spec), () => verbs.deleteNetwork(spec.networkId)),
    deleteNetwork: async (networkId) => {
      // First the grave: who makes and who deletes cannot both miss each other.
      await bury(networkId)
      await verbs.deleteNetwork(networkId)
    },
    createMachine: (spec) => ofNode(spec.nodeId, () => verbs.createMachine(spec)),
    deleteMachine: async (nodeId) => {
      await bury(nodeId)
      await verbs.deleteMachine(nodeId)
    },
    createVolume: (spec) => ofNode(spec.nodeId, () => verbs.createVolume(spec)),
    allocateAddress: (nodeId) => ofNode(nodeId, () => verbs.allocateAddress(nodeId)),
    boot: (nodeId) => ofNode(nodeId, () => verbs.boot(nodeId)),
    resize: (nodeId, instance) => ofNode(nodeId, () => verbs.resize(nodeId, instance)),
  }
}
