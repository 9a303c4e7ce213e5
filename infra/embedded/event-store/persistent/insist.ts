import { setTimeout as pause } from 'node:timers/promises'

/** How long to wait before the next attempt, in ms. */
const PAUSE_MS = 250

/**
 * Tries until it succeeds. A read that fails is a moment's trouble with one database connection, or the log is gone; then
 * the server stops, and so does this.
 *
 * @throws what the attempt throws, or an AbortError, once the signal is aborted
 */
export const insist = async <T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> => {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (signal.aborted) throw error
    }
    await pause(PAUSE_MS, undefined, { signal, ref: false })
  }
}
