import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../infra/controller/clock.ts'

type Sleeper = { readonly atMs: number; readonly wake: () => void }

/** Time that goes by only when it is told to, in the order of who is to wake. */
export const virtualClock = (begun = '2026-07-01T12:00:00.000Z') => {
  const begunMs = Date.parse(begun)
  const sleepers = new Set<Sleeper>()
  let nowMs = 0
  const clock: Clock = {
    now: () => new Date(begunMs + nowMs).toISOString(),
    monotonicMs: () => nowMs,
    sleep: (ms, signal) => {
      if (signal?.aborted === true) return Promise.resolve()
      const { promise, resolve } = Promise.withResolvers<void>()
      const sleeper = { atMs: nowMs + ms, wake: resolve }
      sleepers.add(sleeper)
      const rouse = (): void => {
        sleepers.delete(sleeper)
        resolve()
      }
      signal?.addEventListener('abort', rouse, { once: true })
      return promise.finally(() => signal?.removeEventListener('abort', rouse))
    },
  }
  /** Lets so much time go by; whoever wakes does what he has to do before the next one wakes. */
  const pass = async (ms: number): Promise<void> => {
    const endMs = nowMs + ms
    for (;;) {
      await setImmediate()
      const next = [...sleepers].toSorted((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined || next.atMs > endMs) break
      sleepers.delete(next)
      nowMs = Math.max(nowMs, next.atMs)
      next.wake()
    }
    nowMs = endMs
  }
  return { clock, pass }
}
