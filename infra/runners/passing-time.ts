import { setTimeout as pause } from 'node:timers/promises'
import { type Reactor, passTime } from './reactions.ts'

const TICK_MS = 200
/** What workers answered while no runner was there comes first: a deadline that passed meanwhile is none of theirs. */
const SETTLE_MS = 1_000

/** Lets time pass for the jobs whose deadlines or retries are due, each by itself, until `signal`. */
export const followTime = async ({ reactor, log, signal }: {
  readonly reactor: Reactor
  readonly log: { readonly warn: (fields: object, message: string) => void }
  readonly signal: AbortSignal
}): Promise<void> => {
  const underWay = new Map<string, Promise<void>>()
  const pass = (jobId: string): Promise<void> =>
    passTime(reactor, jobId)
      .catch((err: unknown) => log.warn({ err, jobId }, 'time could not pass'))
      .finally(() => underWay.delete(jobId))
  const rest = (ms: number): Promise<void> => pause(ms, undefined, { signal }).catch(() => undefined)

  await rest(SETTLE_MS)
  while (!signal.aborted) {
    for (const jobId of reactor.open.dueAt(reactor.now())) {
      if (!underWay.has(jobId)) underWay.set(jobId, pass(jobId))
    }
    await rest(TICK_MS)
  }
  await Promise.all(underWay.values())
}
