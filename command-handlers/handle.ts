import type { Command, Decider, Event, Rejection } from '../domain/kernel/decider.ts'
import { isRejection } from '../domain/kernel/decider.ts'
import {
  type Cause,
  type EventStore,
  type Position,
  type Recorded,
  type Revision,
  RevisionConflict,
} from '../domain/kernel/event-store.ts'
import { eventId } from './ids.ts'
import { remembered } from './remembered.ts'

/** How often a command is decided anew because someone else wrote to its stream first. */
const ATTEMPTS_MAX = 32
const STREAMS_REMEMBERED = 1_000

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

type Asked<C extends Command> = { readonly command: C; readonly cause: Cause }

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

/** A stream as it was left by whoever wrote it last from here; that it still is so, the append finds out. */
type Presumed<S> = { readonly state: S; readonly revision: Revision; readonly taken: ReadonlySet<string> }

/**
 * The shell around every decider: fold, decide, append at the revision the state was folded to, and again if someone
 * else wrote first. A command that was taken before changes nothing.
 *
 * A stream that was written from here is not read again: its state is presumed, and a stream never seen is presumed
 * absent. An append holds only at the presumed revision, so what is written was decided on the truth; whatever writes
 * nothing is decided on a fresh read.
 *
 * @param streamOf the stream a command is for
 * @returns a function that throws `RevisionConflict` when the stream does not come to rest, and whatever the store throws
 */
export const handle = <C extends Command, E extends Event, S, Code extends string>(
  { store }: { readonly store: Pick<EventStore, 'read' | 'append'> },
  decider: Decider<C, E, S, Code>,
  streamOf: (command: C) => string,
): Send<C, E, S, Code> => {
  const left = remembered<Presumed<S>>(STREAMS_REMEMBERED)
  const absent: Presumed<S> = { state: decider.initial, revision: 'absent', taken: new Set() }

  const write = async (
    stream: string,
    presumed: Presumed<S>,
    events: readonly E[],
    { command, cause }: Asked<C>,
  ): Promise<Handled<E, S, Code>> => {
    // The first event carries what was asked, so that a later release can be shown to decide the same on it.
    const batch = events.map((event, n) => ({
      ...event,
      id: eventId(cause.commandId, n),
      metadata: n === 0 ? { ...cause, command } : cause,
    }))
    const appended = await store.append(stream, batch, { expected: presumed.revision })
    const state = events.reduce(decider.evolve, presumed.state)
    left.set(stream, { state, revision: appended.revision, taken: new Set([...presumed.taken, cause.commandId]) })
    return { events, state, ...appended }
  }

  const onPresumption = async (stream: string, command: C, cause: Cause): Promise<Handled<E, S, Code> | undefined> => {
    const presumed = left.get(stream) ?? absent
    if (presumed.taken.has(cause.commandId)) return undefined
    const decision = decider.decide(command, presumed.state)
    return isRejection(decision) || decision.length === 0 ? undefined : write(stream, presumed, decision, { command, cause })
  }

  const onRead = async (stream: string, command: C, cause: Cause): Promise<Handled<E, S, Code>> => {
    const { events, state, position, revision } = await fold({ store }, decider, stream)
    const taken = events.filter(({ metadata }) => metadata.commandId === cause.commandId)
    // The stream itself knows what it has taken: a command that comes again is answered as it was, however late.
    if (taken.length > 0) return { events: taken, state, position, revision }
    const decision = decider.decide(command, state)
    if (isRejection(decision)) return { rejection: decision }
    if (decision.length === 0) return { events: [], state, position, revision }
    const known = new Set(events.map(({ metadata }) => metadata.commandId))
    return write(stream, { state, revision, taken: known }, decision, { command, cause })
  }

  return async (command, cause) => {
    const stream = streamOf(command)
    for (let attempt = 1; ; attempt++) {
      try {
        const presumably = attempt === 1 ? await onPresumption(stream, command, cause) : undefined
        return presumably ?? (await onRead(stream, command, cause))
      } catch (error) {
        left.forget(stream)
        // Someone else wrote first. Deciding again on the new state is safe: a decision has no effects.
        if (!(error instanceof RevisionConflict) || attempt === ATTEMPTS_MAX) throw error
      }
    }
  }
}
