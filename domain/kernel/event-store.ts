import type { Command, Event } from './decider.ts'
import type { Sealed } from './sealed.ts'

/** A place in the whole log. Opaque: strictly increasing, never dense, compared and stored, never calculated with. */
export type Position = { readonly commit: bigint; readonly prepare: bigint }

/** How far a stream has come: no event yet, or the revision of its last event. */
export type Revision = 'absent' | bigint

/** Who asked. `system` is the control plane itself (a saga, a schedule). */
export type Actor = {
  readonly kind: 'user' | 'client' | 'operator' | 'system'
  readonly id: string
  /** The OAuth2 client that acted for the user. */
  readonly clientId?: string
  readonly role?: string
  /** The network address the request came from: personal data, so it is sealed. */
  readonly address?: Sealed
}

/** Why an event was written: the chain from an API call to the last consequence. */
export type Metadata = {
  /** The command that decided the event. Event ids are derived from it. */
  readonly commandId: string
  /** The same for everything that follows from one request. */
  readonly correlationId: string
  /** What caused the command: a request, an event or an order. */
  readonly causationId: string
  readonly actor: Actor
  /** Whose affair it is: the tenant who sees the event in his audit trail. Absent for what concerns no tenant. */
  readonly organisationId?: string
  readonly requestId?: string
  /** W3C trace context (https://www.w3.org/TR/trace-context/), so that a trace follows the log. */
  readonly traceparent?: string
  /** What was decided on; with the first event of the decision only, so that a decision can be made again. */
  readonly command?: Command
}

/** What a command needs to say about itself beside its data. */
export type Cause = Omit<Metadata, 'command'>

export type NewEvent = Event & { readonly id: string; readonly metadata: Metadata }

export type Recorded<E extends Event = Event> = E & {
  readonly id: string
  readonly stream: string
  readonly revision: bigint
  readonly position: Position
  /** What the log holds, where that has an older shape or another name than the event has here. */
  readonly written?: { readonly type: string; readonly data: object }
  /** When the store took it, RFC 3339. */
  readonly recordedAt: string
  readonly metadata: Metadata
}

/** A stream, folded by its reader. `revision` is what `append` must expect. */
export type StreamSlice = { readonly events: readonly Recorded[]; readonly revision: Revision }

/** What a subscription yields, in the order of the log. */
export type Delivery = {
  readonly events: readonly Recorded[]
  /** Everything up to and including this position has been considered, whether or not it matched the prefixes. */
  readonly position: Position
  /** True once the reader has everything that was in the log when it asked. */
  readonly caughtUp: boolean
}

export type EventStore = {
  /**
   * Reads a stream forward from `from` (default its start), at most `limit` events (default all), or backward from its end.
   * An absent stream is `{ events: [], revision: 'absent' }`.
   */
  readonly read: (
    stream: string,
    options?: { readonly from?: bigint; readonly limit?: number; readonly backward?: boolean },
  ) => Promise<StreamSlice>
  /**
   * Appends all of `events` or none. Safe to repeat with the same ids and the same `expected`: a repeat answers as the first did.
   * @throws RevisionConflict when the stream is not at `expected` and the events there are not these.
   */
  readonly append: (
    stream: string,
    events: readonly NewEvent[],
    options: { readonly expected: Revision },
  ) => Promise<{ readonly revision: bigint; readonly position: Position }>
  /**
   * Reads the whole log forward, strictly after `after`, only streams whose name begins with one of `prefixes`, at most
   * `limit` events.
   */
  readonly readAll: (options: {
    readonly after: Position | 'start'
    readonly prefixes: readonly string[]
    readonly limit: number
  }) => Promise<readonly Recorded[]>
  /**
   * Follows the log for ever, strictly after `after`: batches of what is there (never more than `batchMax` events, default
   * 500), then live.
   * Reconnects by itself, without gap or repeat. Ends when `signal` aborts.
   */
  readonly subscribe: (options: {
    readonly after: Position | 'start'
    readonly prefixes: readonly string[]
    readonly signal: AbortSignal
    readonly batchMax?: number
  }) => AsyncIterable<Delivery>
  /** The position of the last event of the log, or `start` for an empty one. */
  readonly head: () => Promise<Position | 'start'>
}

/** The stream was written by someone else since it was read. Read again, decide again. */
export class RevisionConflict extends Error {
  override readonly name = 'RevisionConflict'
}

export const isAfter = (position: Position, other: Position | 'start'): boolean =>
  other === 'start' || position.commit > other.commit || (position.commit === other.commit && position.prepare > other.prepare)

/** Text form for headers, rows and checkpoints: `commit/prepare`. */
export const positionText = (position: Position): string => `${position.commit}/${position.prepare}`

/** Reads `positionText` back; undefined for anything else. */
export const parsePosition = (text: string): Position | undefined => {
  const match = /^(\d{1,19})\/(\d{1,19})$/.exec(text)
  return match?.[1] !== undefined && match[2] !== undefined
    ? { commit: BigInt(match[1]), prepare: BigInt(match[2]) }
    : undefined
}
