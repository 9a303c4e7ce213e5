/**
 * Waits until `condition` holds, asking every few milliseconds.
 *
 * @param condition what must become true; a thrown error counts as "not yet"
 * @param options.withinMs how long to wait at most
 * @param options.everyMs the longest pause between two looks; default 100
 * @param options.what what is waited for, for the message of the failure
 * @returns the first truthy value
 * @throws when the time has run out, with the last error as its cause
 */
export const until = async <T>(
  condition: () => T | Promise<T>,
  { withinMs, everyMs = 100, what = 'the condition' }: {
    readonly withinMs: number
    readonly everyMs?: number
    readonly what?: string
  },
): Promise<NonNullable<T>> => {
  const deadline = performance.now() + withinMs
  let cause: unknown
  for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 1.5, everyMs)) {
    try {
      const value = await condition()
      if (value !== false && value !== null && value !== undefined) return value
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() > deadline) {
      // Of a failed test nothing but the message is shown.
      const why = cause instanceof Error ? `: ${cause.message}` : ''
      throw new Error(`${what} did not come to hold within ${withinMs} ms${why}`, { cause })
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}
