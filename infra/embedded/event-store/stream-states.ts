import { generations } from './generations.ts'
import { ABSENT, type LogRecord, type Proposed } from './record.ts'
import type { Storage, StreamHead } from './storage.ts'
import { metadataIn } from './stream-metadata.ts'

/** How many streams a generation remembers. */
const STATES_MAX = 50_000

/** A stream and its metadata stream, ahead of what is durable until `durable` resolves. */
export type StreamState = {
  readonly events: StreamHead
  readonly metadata: StreamHead
  /** The metadata by which the stream is deleted until it is written again; undefined if it is not. */
  readonly hiddenBy: Buffer | undefined
  readonly durable?: Promise<void>
}

const NOWHERE: StreamHead = { revision: ABSENT, position: ABSENT }

/** @returns a copy of the metadata's data, which would keep a whole message in memory, if it hides its stream */
export const hiding = (metadata: Pick<Proposed, 'contentType' | 'data'> | undefined): Buffer | undefined =>
  metadata !== undefined && metadataIn(metadata).truncateBefore === 'deleted' ? Buffer.from(metadata.data) : undefined

/** The state after `events` and then `metadata` were written. */
export const stateAfter = (
  state: StreamState,
  events: readonly LogRecord[],
  metadata: readonly LogRecord[],
): StreamState => {
  const [lastEvent, lastMetadata] = [events.at(-1), metadata.at(-1)]
  const headOf = ({ revision, position }: StreamHead): StreamHead => ({ revision, position })
  return {
    events: headOf(lastEvent ?? state.events),
    metadata: headOf(lastMetadata ?? state.metadata),
    hiddenBy: lastMetadata === undefined ? state.hiddenBy : hiding(lastMetadata),
  }
}

export type StreamStates = {
  readonly get: (stream: string) => StreamState | undefined
  readonly pin: (stream: string, state: StreamState) => void
  /** What was pinned is durable. */
  readonly unpin: (stream: string, state: StreamState) => void
  /** Resolves when `get` has something, unless it was forgotten meanwhile. */
  readonly load: (stream: string) => Promise<void>
}

/** The writer's view of the streams: what is ahead of the disk is pinned, the rest a bounded cache before storage. */
export const streamStates = (storage: Storage): StreamStates => {
  const pinned = new Map<string, StreamState>()
  const cached = generations<string, StreamState>(STATES_MAX)
  const loading = new Map<string, Promise<void>>()
  return {
    get: (stream) => pinned.get(stream) ?? cached.get(stream),
    pin: (stream, state) => void pinned.set(stream, state),
    unpin: (stream, state) => {
      if (pinned.get(stream) !== state) return
      pinned.delete(stream)
      const { events, metadata, hiddenBy } = state
      cached.set(stream, { events, metadata, hiddenBy })
    },
    load: (stream) => {
      const running = loading.get(stream)
      if (running !== undefined) return running
      const started = storage
        .endsOf(stream)
        .then(({ events = NOWHERE, metadata }) => {
          const { revision, position } = metadata ?? NOWHERE
          cached.set(stream, { events, metadata: { revision, position }, hiddenBy: hiding(metadata) })
        })
        .finally(() => loading.delete(stream))
      loading.set(stream, started)
      return started
    },
  }
}
