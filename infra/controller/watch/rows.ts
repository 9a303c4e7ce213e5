import type { HostSeen } from '../../controller-store/controller-store.ts'
import type { WatchParts } from './parts.ts'

/** How often it is written that nothing has changed. */
const UNCHANGED_MS = 5_000

/** Writes what was seen of the hosts of a datastore when it differs, and now and then when it does not. */
export const rowKeeper = ({ store, clock }: WatchParts) => {
  const written = new Map<string, { readonly what: string; readonly atMs: number }>()
  return async (nodeId: string, seen: HostSeen): Promise<void> => {
    const what = `${seen.status} ${seen.role}`
    const last = written.get(nodeId)
    const atMs = clock.monotonicMs()
    if (last?.what === what && atMs - last.atMs < UNCHANGED_MS) return
    await store.seen(nodeId, seen)
    written.set(nodeId, { what, atMs })
  }
}
