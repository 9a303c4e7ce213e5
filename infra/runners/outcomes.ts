import { setTimeout as pause } from 'node:timers/promises'
import type { OrderOutcome } from '../../domain/job/orders.ts'
import { held } from '../messaging/held.ts'
import type { Delivered } from '../messaging/messaging.ts'
import { inOrder } from './in-order.ts'
import { backoffMs } from './insist.ts'
import { type Reactor, recordOutcome } from './reactions.ts'

/** After so many attempts it is asked whether the fault is the store's or the outcome's own. */
const ATTEMPTS_MAX = 5
const RETRY_MS = 60_000

export type OutcomeOptions = {
  readonly reactor: Reactor
  readonly log: { readonly warn: (fields: object, message: string) => void }
  readonly concurrency: number
  readonly signal: AbortSignal
}

/**
 * Takes what workers answer into its job, one after the other for each job, until `signal`. An outcome stays here while
 * the store is away, however long. One that a store in good health does not take is left to the broker, which hands it
 * out again and in the end puts it aside.
 *
 * @throws when the broker's connection closes for good
 */
export const followOutcomes = async ({ reactor, log, concurrency, signal }: OutcomeOptions): Promise<void> => {
  const { store, messaging } = reactor
  const jobs = inOrder()
  const storeAnswers = (): Promise<boolean> => store.head().then(() => true, () => false)

  const take = async ({ message, carrier, ack, nak }: Delivered<OrderOutcome>): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      // Not begun, or not done: another runner can have it at once.
      if (signal.aborted) return nak(0)
      try {
        await recordOutcome(reactor, message, carrier)
        return await ack()
      } catch (err) {
        const { jobId, orderId } = message
        log.warn({ err, jobId, orderId, attempt }, 'an outcome is not done yet')
        if (attempt >= ATTEMPTS_MAX && (await storeAnswers())) return nak(RETRY_MS)
      }
      await pause(backoffMs(attempt), undefined, { signal }).catch(() => undefined)
    }
  }

  for await (const delivered of messaging.outcomes({ concurrency, signal })) {
    const { jobId, orderId } = delivered.message
    void held(messaging, delivered, () => jobs.run(jobId, () => take(delivered))).catch((err: unknown) =>
      // It comes again once its time has run out.
      log.warn({ err, jobId, orderId }, 'an outcome could not be handed back'),
    )
  }
  await jobs.idle()
  if (!signal.aborted) throw new Error('no more outcomes can be taken: the connection to the broker is closed')
}
