import { generations } from './generations.ts'
import { ABSENT, type LogRecord, TOMBSTONE } from './record.ts'
import type { Storage } from './storage.ts'
import { describedBy, isMetadataStream, metadataIn, OF_METADATA_STREAMS, type StreamMetadata } from './stream-metadata.ts'

/** How many streams' metadata a generation remembers, and how large it may be for that, in bytes. */
const VIEWS_MAX = 10_000
const CACHED_BYTES_MAX = 16_384

const TICKS_PER_MS = 10_000n

export type PageRequest = {
  /** The first revision wanted, inclusive. */
  readonly from: number
  readonly max: number
  readonly backward: boolean
}

/**
 * What may be read of a stream: a page of events, and the revision at which to go on, undefined at the end. `absent` has
 * never been written or is deleted until it is; `deleted` is deleted for ever. A stream of which all is too old or
 * truncated is an empty page.
 */
export type StreamPage =
  | { readonly outcome: 'page'; readonly events: readonly LogRecord[]; readonly next: number | undefined }
  | { readonly outcome: 'absent' }
  | { readonly outcome: 'deleted' }

export type StreamReader = {
  /** What the durable metadata of a stream says; nothing for a stream without. */
  readonly metadataOf: (stream: string) => Promise<StreamMetadata>
  /** Reads what the stream's metadata lets be read at this moment. */
  readonly readStream: (stream: string, request: PageRequest) => Promise<StreamPage>
  /** To be told of all that has become durable. */
  readonly written: (records: readonly LogRecord[]) => void
}

type View = { readonly ended: boolean; readonly metadata: StreamMetadata }

/** What readers must know of a stream beside its events: a bounded cache that each change of it goes around. */
const streamViews = (storage: Storage) => {
  const cached = generations<string, View>(VIEWS_MAX)
  const loading = new Map<string, Promise<View>>()

  const load = (stream: string): Promise<View> => {
    const running = loading.get(stream)
    if (running !== undefined) return running
    const started = storage.endsOf(stream).then(({ events, metadata }) => {
      const view: View = { ended: events?.revision === TOMBSTONE, metadata: metadataIn(metadata) }
      // Whoever has changed it since has taken this away.
      if (loading.get(stream) === started) {
        loading.delete(stream)
        if ((metadata?.data.length ?? 0) <= CACHED_BYTES_MAX) cached.set(stream, view)
      }
      return view
    })
    started.catch(() => loading.delete(stream))
    loading.set(stream, started)
    return started
  }

  return {
    of: async (stream: string): Promise<View> => cached.get(stream) ?? load(stream),
    written: (records: readonly LogRecord[]): void => {
      for (const { stream, revision } of records) {
        const changed = isMetadataStream(stream) ? describedBy(stream) : revision === TOMBSTONE ? stream : undefined
        if (changed === undefined) continue
        cached.forget(changed)
        loading.delete(changed)
      }
    },
  }
}

/** Everything written before this moment, in ticks, is too old; 0 when nothing ever is. */
const oldest = ({ maxAgeSeconds }: StreamMetadata): bigint =>
  maxAgeSeconds === undefined ? 0n : BigInt(Date.now() - maxAgeSeconds * 1_000) * TICKS_PER_MS

/** Reads streams as their metadata allows: nothing is ever removed from the log, limits hold when it is read. */
export const streamReader = (storage: Storage): StreamReader => {
  const views = streamViews(storage)

  const viewOf = async (stream: string): Promise<View> => {
    if (!isMetadataStream(stream)) return views.of(stream)
    const { ended } = await views.of(describedBy(stream))
    return { ended, metadata: OF_METADATA_STREAMS }
  }

  /** The first revision that truncation and count let be read. */
  const firstOf = async (stream: string, { truncateBefore, maxCount }: StreamMetadata): Promise<number> => {
    const kept = typeof truncateBefore === 'number' ? truncateBefore : 0
    if (maxCount === undefined) return kept
    const last = (await storage.headOf(stream))?.revision ?? ABSENT
    return Math.max(kept, last - maxCount + 1)
  }

  const page = async (stream: string, request: PageRequest, metadata: StreamMetadata): Promise<StreamPage> => {
    const { max, backward } = request
    const [first, since] = [await firstOf(stream, metadata), oldest(metadata)]
    let from = backward ? request.from : Math.max(request.from, first)
    if (since > 0n && !backward) {
      const fresh = await storage.firstSince(stream, from, since)
      if (fresh === undefined) return { outcome: 'page', events: [], next: undefined }
      from = fresh
    }
    const scanned = await storage.scanStream(stream, from, max, backward)
    const last = scanned.at(-1)
    if (last === undefined && (await storage.headOf(stream)) === undefined) return { outcome: 'absent' }
    const events = scanned.filter((it) =>
      it.revision >= first && it.revision !== TOMBSTONE && (since === 0n || BigInt(it.createdTicks) >= since))
    // Downwards, whatever lies behind an event that may not be read may not be read either.
    const over = last === undefined || scanned.length < max || (backward && events.length < scanned.length)
    return { outcome: 'page', events, next: over ? undefined : last.revision + (backward ? -1 : 1) }
  }

  return {
    written: views.written,
    metadataOf: async (stream) => (await viewOf(stream)).metadata,
    readStream: async (stream, request) => {
      const { ended, metadata } = await viewOf(stream)
      if (ended) return { outcome: 'deleted' }
      if (metadata.truncateBefore === 'deleted') return { outcome: 'absent' }
      return page(stream, request, metadata)
    },
  }
}
