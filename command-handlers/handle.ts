import type { Command, Decider, Event, Rejection } from '../domain/kernel/decider.ts'
import { isRejection } from '../domain/kernel/decider.ts'
import { type Cause, type EventStore, type Position, type Recorded, type Revision, RevisionConflict } from '../domain/kernel/event-store.ts'
import { eventId } from './ids.ts'

/** How often a command is decided anew because someone else wrote to its stream first. */
const ATTEMPTS_MAX = 32

/** What came of a command. */
export type Handled<E extends Event, S, Code extends string> =
  | { readonly rejection: Rejection<Code> }
  | {
      /** Empty when it was so already. */
      readonly events: readonly E[]
      /** The aggregate with the events. */
      readonly state: S
      /** Of the stream's last event, whoever wrote it; undefined for a stream without events. */
      readonly position: Position | undefined
      readonly revision: Revision
    }

export type Send<C extends Command, E extends Event, S, Code extends string> = (
  command: C,
  cause: Cause,
) => Promise<Handled<E, S, Code>>

/** An aggregate as its stream tells it. */
export type Folded<E extends Event, S> = {
  readonly events: readonly Recorded<E>[]
  readonly state: S
  readonly position: Position | undefined
  readonly revision: Revision
}

/** A stream is written through its decider alone, so every event in it is one of the decider's. */
const isOwn = <E extends Event>(_event: Recorded): _event is Recorded<E> => true

/** Reads a stream and folds it. */
export const fold = async <E extends Event, S>(
  { store }: { readonly store: Pick<EventStore, 'read'> },
  { initial, evolve }: Pick<Decider<Command, E, S, string>, 'initial' | 'evolve'>,
  stream: string,
): Promise<Folded<E, S>> => {
  const { events: recorded, revision } = await store.read(stream)
  const events = recorded.filter((event) => isOwn<E>(event))
  const state = events.reduce<S>((folded, event) => evolve(folded, event), initial)
  return { events, state, position: events.at(-1)?.position, revision }
}

/**
 * The shell around every decider: read, fold, decide, append at the revision that was read, and again if someone else wrote first.
 * A command that was taken before changes nothing.
 *
 * @param streamOf the stream a command is for
 * @returns a function that throws `RevisionConflict` when the stream does not come to rest, and whatever the store throws
 */
export const handle =
  <C extends Command, E extends Event, S, Code extends string>(
    { store }: { readonly store: Pick<EventStore, 'read' | 'append'> },
    decider: Decider<C, E, S, Code>,
    streamOf: (command: C) => string,
  ): Send<C, E, S, Code> =>
  async (command, cause) => {
    const stream = streamOf(command)
    for (let attempt = 1; ; attempt++) {
      const { events, state, position, revision } = await fold({ store }, decider, stream)
      // The stream itself knows what it has taken: a command that comes again is answered as it was, however late.
      const taken = events.filter(({ metadata }) => metadata.commandId === cause.commandId)
      if (taken.length > 0) return { events: taken, state, position, revision }
      const decision = decider.decide(command, state)
      if (isRejection(decision)) return { rejection: decision }
      if (decision.length === 0) return { events: [], state, position, revision }
      const batch = decision.map((event, n) => ({ ...event, id: eventId(cause.commandId, n), metadata: cause }))
      try {
        const appended = await store.append(stream, batch, { expected: revision })
        return { events: decision, state: decision.reduce(decider.evolve, state), ...appended }
      } catch (error) {
        // Someone else wrote first. Deciding again on the new state is safe: a decision has no effects.
        if (!(error instanceof RevisionConflict) || attempt === ATTEMPTS_MAX) throw error
      }
    }
  }
