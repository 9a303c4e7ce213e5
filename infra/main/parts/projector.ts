import { projections } from '../../../projections/index.ts'
import { projector } from '../../read-store/projector.ts'
import type { Base, Part } from '../base.ts'

/** Keeps the read models up with the log. It is ready when they are, or when it stands by for another one. */
export const projectorPart = async ({ log, metrics, now, signal, store, ccxDb }: Base): Promise<Part> => {
  const events = store()
  const readStore = ccxDb()
  let unready: string | undefined = 'it has not begun'
  const ended = projector({
    store: events,
    readStore,
    projections,
    signal,
    log,
    onAdvanced: ({ commit }, last) => {
      // The store's clock may be ahead of ours.
      const lagMs = last === undefined ? 0 : Math.max(0, Date.parse(now()) - Date.parse(last.recordedAt))
      metrics.projector('all', { position: commit, lagSeconds: lagMs / 1_000 })
    },
    onUnready: (because) => {
      unready = because
    },
    onCaughtUp: () => {
      unready = undefined
    },
  })
  const readModels = async (): Promise<void> => {
    if (unready !== undefined) throw new Error(unready)
  }
  return { checks: { eventStore: events.ping, ccxDb: () => readStore.pool.query('select 1'), readModels }, ended }
}
