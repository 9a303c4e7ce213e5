import type { WatchParts } from './parts.ts'

/** Work that goes on beside the looks at a datastore. */
export type Beside = {
  readonly run: (work: Promise<void>) => void
  /** Does it, unless it is being done. What fails is logged. */
  readonly once: (what: string, work: () => Promise<void>) => void
  /** Resolves when nothing goes on any more. */
  readonly ended: () => Promise<void>
}

export const beside = ({ log, signal }: Pick<WatchParts, 'log' | 'signal'>, datastoreId: string): Beside => {
  const running = new Set<Promise<void>>()
  const atWork = new Set<string>()
  const run: Beside['run'] = (work) => {
    const done = work
      .catch((err: unknown) => log.error({ datastoreId, err }, 'the watch over a datastore failed'))
      .finally(() => running.delete(done))
    running.add(done)
  }
  return {
    run,
    once(what, work) {
      if (atWork.has(what)) return
      atWork.add(what)
      const done = work()
        .catch((err: unknown) => {
          if (!signal.aborted) log.warn({ datastoreId, err, what }, 'what the watch was about to do came to nothing')
        })
        .finally(() => atWork.delete(what))
      run(done)
    },
    async ended() {
      while (running.size > 0) await Promise.all(running)
    },
  }
}
