import type {
  PersistentSubscriptionToAll, PersistentSubscriptionToStream, PersistentSubscriptionToStreamResolvedEvent,
} from '@eventstore/db-client'

type Subscription = PersistentSubscriptionToStream | PersistentSubscriptionToAll

/** What a consumer of a persistent subscription was sent, in order, and how it ended. */
export type Watched<S extends Subscription = Subscription> = {
  readonly subscription: S
  readonly events: PersistentSubscriptionToStreamResolvedEvent[]
  readonly errors: Record<string, unknown>[]
  readonly isConfirmed: () => boolean
  /** The numbers that the events hold. */
  readonly numbers: () => number[]
}

const numberIn = (data: unknown): number =>
  typeof data === 'object' && data !== null && 'number' in data ? Number(data.number) : Number.NaN

/**
 * Collects what a consumer is sent.
 *
 * @param react what it does with each event; without it, it keeps all unanswered
 */
export const watch = <S extends Subscription>(
  subscription: S,
  react: (event: PersistentSubscriptionToStreamResolvedEvent, subscription: S) => Promise<void> = async () => undefined,
): Watched<S> => {
  const events: PersistentSubscriptionToStreamResolvedEvent[] = []
  const errors: Record<string, unknown>[] = []
  let confirmed = false
  const fail = (error: Error): void => {
    errors.push(Object.fromEntries([['message', error.message], ...Object.entries(error)]))
  }
  subscription.on('confirmation', () => {
    confirmed = true
  })
  subscription.on('error', fail)
  subscription.on('data', (event: PersistentSubscriptionToStreamResolvedEvent) => {
    events.push(event)
    react(event, subscription).catch(fail)
  })
  return {
    subscription, events, errors,
    isConfirmed: () => confirmed,
    numbers: () => events.map(({ event }) => numberIn(event?.data)),
  }
}
