import type { ControllerStore } from '../../controller-store/controller-store.ts'

/** Which nodes are fenced, as it was found out after it was asked: many who ask at once are answered by one question. */
export type Leases = {
  /** @throws when CMON DB does not answer */
  readonly fenced: () => Promise<ReadonlySet<string>>
}

/**
 * Whoever asks while a question is under way waits for the next one, since that one may have been answered before he asked.
 */
export const leases = ({ fencedNodes }: Pick<ControllerStore, 'fencedNodes'>): Leases => {
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<ReadonlySet<string>> | undefined
  return {
    fenced: () => {
      if (next !== undefined) return next
      const asked = running.then(() => {
        next = undefined
        return fencedNodes()
      })
      next = asked
      running = asked.catch(() => undefined)
      return asked
    },
  }
}
