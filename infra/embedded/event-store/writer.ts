import { generations } from './generations.ts'
import type { FlushQueue } from './flush-queue.ts'
import { ABSENT, lengthOf, type LogRecord, type Proposed, TOMBSTONE } from './record.ts'
import type { Storage } from './storage.ts'
import { deletion, describedBy, ending, isMetadataStream, metadataStreamOf, revived } from './stream-metadata.ts'
import { stateAfter, type StreamState, streamStates } from './stream-states.ts'
import { comparison, type Expected, repeatOf, type Standing, verdictOn, type Whereabouts } from './version-rules.ts'

/** How many recent event ids a generation remembers. */
const IDS_MAX = 32_768

/**
 * How a write ended. `revision` and `position` are those of its last event; a conflict tells the stream's own revision;
 * `deleted` means that the stream takes nothing: for ever, or, if it had to exist, until it is written anew.
 */
export type Appended =
  | { readonly outcome: 'written'; readonly revision: number; readonly position: number | undefined }
  | { readonly outcome: 'conflict'; readonly revision: number }
  | { readonly outcome: 'deleted' }

export type Writer = {
  /** Resolves once the events are durable. Rejects when the log has failed. */
  readonly append: (stream: string, expected: Expected, events: readonly Proposed[]) => Promise<Appended>
  /** Hides a stream until it is written again. `revision` is that of its metadata. */
  readonly remove: (stream: string, expected: Expected) => Promise<Appended>
  /** Ends a stream, and its metadata stream, for ever. */
  readonly tombstone: (stream: string, expected: Expected) => Promise<Appended>
}

const standingOf = (state: StreamState, isMetadata: boolean): Standing => {
  const { events, metadata, hiddenBy } = state
  if (!isMetadata) return { head: events.revision, described: metadata.revision !== ABSENT, hidden: hiddenBy !== undefined }
  return {
    head: events.revision === TOMBSTONE ? TOMBSTONE : metadata.revision,
    described: false,
    hidden: false,
  }
}

type Change = {
  readonly events?: readonly Proposed[]
  readonly metadata?: readonly Proposed[]
  /** The events end the stream. */
  readonly ends?: boolean
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

type Options = { readonly storage: Storage; readonly queue: FlushQueue; readonly nextPosition: number }

/** Gives events their places and hands them to the disk; remembers where each stream and each recent event is. */
const committing = ({ queue, nextPosition, storage }: Options) => {
  const states = streamStates(storage)
  const ids = generations<string, Whereabouts>(IDS_MAX)

  const place = (stream: string, revision: number, event: Proposed): LogRecord => {
    const position = nextPosition
    nextPosition += lengthOf(event, stream)
    ids.set(event.id, { stream, revision, position })
    return { ...event, stream, revision, position, createdTicks: `${Date.now()}0000` }
  }

  /** Writes all of a change or nothing. @returns the records, once they are durable */
  const commit = async (stream: string, state: StreamState, change: Change): Promise<readonly LogRecord[]> => {
    const { events = [], metadata = [], ends = false } = change
    const first = state.events.revision + 1
    const placed = events.map((event, i) => place(stream, ends ? TOMBSTONE : first + i, event))
    const described = metadataStreamOf(stream)
    const placedMetadata = metadata.map((event, i) => place(described, state.metadata.revision + 1 + i, event))
    const records = [...placed, ...placedMetadata]
    const ahead: Mutable<StreamState> = stateAfter(state, placed, placedMetadata)
    const durable = queue.push(records, () => states.unpin(stream, ahead))
    ahead.durable = durable
    states.pin(stream, ahead)
    await durable
    return records
  }

  /** Goes on with `decide` at once, so that nothing comes between the state and what is decided on it. */
  const at = async <T>(stream: string, decide: (state: StreamState) => Promise<T>): Promise<T> => {
    let state = states.get(stream)
    while (state === undefined) {
      await states.load(stream)
      state = states.get(stream)
    }
    return decide(state)
  }

  return { commit, at, whereabouts: (id: string) => ids.get(id) }
}

const written = ({ revision, position }: LogRecord | Whereabouts): Appended => ({ outcome: 'written', revision, position })

/** What a client wants written, and to which stream's state that belongs. */
type Append = {
  readonly stream: string
  readonly expected: Expected
  readonly events: readonly Proposed[]
  readonly isMetadata: boolean
  readonly owner: string
}

const isSame = (one: StreamState, other: StreamState): boolean =>
  one.events.revision === other.events.revision && one.metadata.revision === other.metadata.revision

const appending = ({ commit, at, whereabouts }: ReturnType<typeof committing>, storage: Storage): Writer['append'] => {
  /** Writing to a hidden stream, or to its metadata, brings it back: what was before stays hidden, what comes is seen. */
  const write = async ({ owner, isMetadata, events }: Append, state: StreamState): Promise<Appended> => {
    const metadata = isMetadata ? (events.at(-1)?.data ?? state.hiddenBy) : state.hiddenBy
    const revival = state.hiddenBy === undefined || metadata === undefined
      ? []
      : revived(metadata, state.events.revision + 1)
    const change = isMetadata ? { metadata: [...events, ...revival] } : { events, metadata: revival }
    const last = (await commit(owner, state, change))[events.length - 1]
    if (last === undefined) throw new Error('BUG: an append of nothing was written')
    return written(last)
  }

  const compare = async (append: Append, expected: number, state: StreamState): Promise<Appended> => {
    const { stream, owner, isMetadata, events: proposed } = append
    const { head, hidden } = standingOf(state, isMetadata)
    await state.durable
    const found = await storage.scanStream(stream, expected + 1, proposed.length, false)
    const result = comparison({ expected, proposed, hidden }, found)
    const last = found.at(-1)
    if (result === 'repeat' && last !== undefined) return written(last)
    if (result !== 'write') return { outcome: 'conflict', revision: head }
    // Others may have written while the disk was asked; then it is to be decided again.
    return at(owner, (now) => (isSame(now, state) ? write(append, now) : decide(append, now)))
  }

  const appendLoosely = async (append: Append, state: StreamState): Promise<Appended> => {
    const { stream, isMetadata, events } = append
    const repeat = repeatOf(stream, events.map(({ id }) => whereabouts(id)))
    if (repeat === 'new') return write(append, state)
    if (repeat === 'conflict') return { outcome: 'conflict', revision: standingOf(state, isMetadata).head }
    await state.durable
    return written(repeat)
  }

  const decide = async (append: Append, state: StreamState): Promise<Appended> => {
    const { expected, isMetadata, events } = append
    const standing = standingOf(state, isMetadata)
    const verdict = verdictOn(expected, standing, events.length)
    if (verdict === 'deleted') return { outcome: 'deleted' }
    if (verdict === 'conflict') return { outcome: 'conflict', revision: standing.head }
    if (events.length === 0) return { outcome: 'written', revision: standing.head, position: undefined }
    if (typeof expected !== 'number') return appendLoosely(append, state)
    return verdict === 'compare' ? compare(append, expected, state) : write(append, state)
  }

  return (stream, expected, events) => {
    const isMetadata = isMetadataStream(stream)
    const owner = isMetadata ? describedBy(stream) : stream
    return at(owner, (state) => decide({ stream, expected, events, isMetadata, owner }, state))
  }
}

/** Both ways to delete ask the same of the stream; `change` says what is written, undefined that there is nothing to delete. */
const deleting = (
  { commit, at }: ReturnType<typeof committing>,
  change: (state: StreamState) => Change | undefined,
): Writer['remove'] =>
  (stream, expected) =>
    at(stream, async (state) => {
      const standing = standingOf(state, false)
      const verdict = verdictOn(expected, standing, 1)
      if (verdict === 'deleted') return { outcome: 'deleted' }
      const begunAnew = verdict === 'compare' && expected === ABSENT && standing.hidden
      const wanted = verdict === 'write' || begunAnew ? change(state) : undefined
      if (wanted === undefined) return { outcome: 'conflict', revision: standing.head }
      const [record] = await commit(stream, state, wanted)
      if (record === undefined) throw new Error('BUG: a deletion wrote nothing')
      return written(record)
    })

const exists = ({ events, metadata }: StreamState): boolean =>
  events.revision !== ABSENT || metadata.revision !== ABSENT

/** The writer: decides in memory, ahead of the disk, and answers when the disk has it. */
export const writer = (options: Options): Writer => {
  const places = committing(options)
  return {
    append: appending(places, options.storage),
    remove: deleting(places, (state) => (exists(state) ? { metadata: [deletion()] } : undefined)),
    tombstone: deleting(places, () => ({ events: [ending()], ends: true })),
  }
}
