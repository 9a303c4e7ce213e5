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
  const over = new AbortController()
  const limit = clock.sleep(ms, AbortSignal.any([over.signal, signal])).then((): never => {
    throw new TookTooLong('what was asked took too long')
  })
  limit.catch(() => undefined)
  try {
    return await Promise.race([work(), limit])
  } finally {
    over.abort()
  }
}
