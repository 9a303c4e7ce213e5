import type { Clock } from '../clock.ts'

/** It took longer than it may. */
export class TookTooLong extends Error {
  override readonly name = 'TookTooLong'
}

/**
 * Gives up on work that does not heed a limit by itself.
 *
 * @throws TookTooLong after `ms`, or when `signal` aborts
 */
export const within = async <T>(
  { clock, ms, signal }: { readonly clock: Clock; readonly ms: number; readonly signal: AbortSignal },
  work: () => Promise<T>,
): Promise<T> => {
  const waiting = new AbortController()
  const end = (): void => waiting.abort()
  if (signal.aborted) end()
  signal.addEventListener('abort', end, { once: true })
  let isOver = false
  const late = Promise.withResolvers<never>()
  void clock.sleep(ms, waiting.signal).then(() => {
    // An error is costly to make, and each look goes through here.
    if (!isOver) late.reject(new TookTooLong('what was asked took too long'))
  })
  try {
    return await Promise.race([work(), late.promise])
  } finally {
    isOver = true
    signal.removeEventListener('abort', end)
    end()
  }
}
