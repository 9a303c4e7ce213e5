import type { Log } from '../telemetry/logger.ts'
import type { EventStoreUsers } from './esdb-users.ts'
import { backOffMs, isRefusal, pause } from './transient.ts'

/**
 * Sees to it, as soon as the store answers, that streams are ours alone unless they say something else, and that some
 * keep no more than is needed of them. Without these rules everything works, so nobody waits for them.
 *
 * @param options.keepLast streams of which only the last event matters
 */
export const keepStoreRules = async ({ users, keepLast, signal, log }: {
  readonly users: Pick<EventStoreUsers, 'reserve' | 'retain'>
  readonly keepLast: readonly string[]
  readonly signal: AbortSignal
  readonly log: Pick<Log, 'warn'>
}): Promise<void> => {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      if (!(await users.reserve())) log.warn({}, 'the settings of the event store let everybody read its streams')
      for (const stream of keepLast) await users.retain(stream, { maxCount: 1 })
      return
    } catch (err) {
      if (err instanceof Error && isRefusal(err.cause)) {
        log.warn({ err }, 'the rules of the event store are for an administrator to set')
        return
      }
      if (attempt === 0) log.warn({ err }, 'the rules of the event store could not be set yet')
    }
    await pause(backOffMs(attempt), signal)
  }
}
