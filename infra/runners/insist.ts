import { setTimeout as pause } from 'node:timers/promises'

const RETRY_MS_MAX = 5_000

/** How long to wait, in milliseconds, after the `attempt`th failure, counted from 1. */
export const backoffMs = (attempt: number): number => Math.min(50 * 2 ** Math.min(attempt, 10), RETRY_MS_MAX)

/** Does `work` until it succeeds. @returns false when `signal` came first */
export type Insist = (what: string, work: () => Promise<void>) => Promise<boolean>

/** Work that must be done, however long a store or the broker is away. */
export const insisting = ({ log, signal }: {
  readonly log: { readonly warn: (fields: object, message: string) => void }
  readonly signal: AbortSignal
}): Insist => async (what, work) => {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      await work()
      return true
    } catch (err) {
      if (signal.aborted) break
      log.warn({ err, attempt }, `${what} is not done yet`)
      await pause(backoffMs(attempt), undefined, { signal }).catch(() => undefined)
    }
  }
  return false
}
