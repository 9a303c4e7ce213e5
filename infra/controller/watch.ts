import type { Slots, WatchedCluster } from '../controller-store/controller-store.ts'
import { slotOf } from '../controller-store/slots.ts'
import { type DatastoreWatch, watchDatastore } from './watch/datastore.ts'
import { leases } from './watch/leases.ts'
import type { WatchParts } from './watch/parts.ts'

/** How often a controller renews what it owns of the fleet. */
const RENEW_SLOTS_MS = 1_000

export type WatchOptions = Omit<WatchParts, 'leases'> & {
  /** Of this process and no other. */
  readonly controllerId: string
  readonly neighbours?: Neighbours
}

/** How controllers on one machine know of each other's end: a process that is gone acts on nothing any more. */
export type Neighbours = {
  /** Which process this is. */
  readonly self: string
  /** Whether a process was of this machine and is certainly gone. */
  readonly isGone: (process: string) => boolean
}

/**
 * Watches the part of the fleet that this controller owns, until `signal` aborts: then it gives its part up at once. A datastore
 * is acted on only while it is certainly owned; the looks go on while CMON DB is away.
 */
export const watch = async (options: WatchOptions): Promise<void> => {
  const { controllerId, neighbours, store, clock, log, signal, metrics, limits: { intervalMs } } = options
  const parts: WatchParts = { ...options, leases: leases(store) }
  const watches = new Map<string, DatastoreWatch>()
  let slots: Slots = { owned: [], validUntilMs: Number.NEGATIVE_INFINITY }
  let owned: ReadonlySet<number> = new Set()
  let changed = new AbortController()
  const isOwned = (datastoreId: string) => {
    const slot = slotOf(datastoreId)
    return () => owned.has(slot) && clock.monotonicMs() < slots.validUntilMs
  }

  const burying = async ({ isGone }: Neighbours): Promise<void> => {
    for (const { controllerId: other, process } of await store.controllers()) {
      if (process === null || !isGone(process)) continue
      log.info({ controllerId: other }, 'the process of a controller is gone: its part of the fleet is free')
      await store.giveUpSlots(other)
    }
  }
  const renewing = async (): Promise<void> => {
    while (!signal.aborted) {
      const beganMs = clock.monotonicMs()
      try {
        if (neighbours !== undefined) await burying(neighbours)
        slots = await store.renewSlots(controllerId, neighbours?.self)
        const before = [...owned].join()
        owned = new Set(slots.owned)
        if (before !== [...owned].join()) changed.abort()
      } catch (err) {
        if (!signal.aborted) log.warn({ err }, 'the part of the fleet could not be renewed')
      }
      await clock.sleep(Math.max(RENEW_SLOTS_MS - (clock.monotonicMs() - beganMs), 0), signal)
    }
  }
  const keeping = async (): Promise<void> => {
    while (!signal.aborted) {
      const beganMs = clock.monotonicMs()
      changed = new AbortController()
      try {
        await keepUp(await store.watched([...owned]))
      } catch (err) {
        if (!signal.aborted) log.warn({ err }, 'the datastores to watch could not be read')
      }
      const rest = AbortSignal.any([changed.signal, signal])
      await clock.sleep(Math.max(intervalMs - (clock.monotonicMs() - beganMs), 0), rest)
    }
  }
  const keepUp = async (clusters: readonly WatchedCluster[]): Promise<void> => {
    const ids = new Set(clusters.map(({ cluster }) => cluster.datastoreId))
    const gone = [...watches].filter(([datastoreId]) => !ids.has(datastoreId))
    for (const [datastoreId] of gone) watches.delete(datastoreId)
    for (const one of clusters) {
      const { datastoreId } = one.cluster
      const known = watches.get(datastoreId)
      if (known !== undefined) known.update(one)
      else watches.set(datastoreId, watchDatastore(parts, one, isOwned(datastoreId)))
    }
    metrics?.watched(watches.size)
    void Promise.all(gone.map(([, one]) => one.end()))
  }

  await Promise.all([renewing(), keeping()])
  await Promise.all([...watches.values()].map((one) => one.end()))
  // Only now does nobody here act on anything any more.
  await store.giveUpSlots(controllerId).catch((err: unknown) => log.warn({ err }, 'the part of the fleet was not given up'))
}
