import {
  type Delivery, type EventStore, isAfter, type NewEvent, type Position, type Recorded, RevisionConflict,
} from '../../domain/kernel/event-store.ts'
import { shapes } from '../../projections/upcast.ts'

/** Where an empty log has been read to. */
const BEFORE_ALL: Position = { commit: 0n, prepare: 0n }

/** After how many events that nobody asked for a subscriber is told how far it has come. */
const CHECKPOINT_EVERY = 512

const hasPrefix = (prefixes: readonly string[], { stream }: Recorded): boolean =>
  prefixes.some((prefix) => stream.startsWith(prefix))

/**
 * What is written is exactly what is read back, and nobody holds on to it; but for the shape, which is the newest one
 * whatever was written.
 */
const copied = ({ id, type, data, metadata }: NewEvent): NewEvent & Pick<Recorded, 'written'> => {
  const written: Pick<NewEvent, 'data' | 'metadata'> = JSON.parse(JSON.stringify({ data, metadata }))
  return { id, metadata: written.metadata, ...shapes.recall({ type: shapes.wireType(type), data: { ...written.data } }) }
}

const sameIds = (events: readonly NewEvent[], found: readonly Recorded[]): boolean =>
  events.length === found.length && events.every(({ id }, i) => id === found[i]?.id)

type State = { readonly log: Recorded[]; readonly streams: Map<string, Recorded[]>; readonly wakers: Set<() => void> }

async function* following(
  { log, wakers }: State,
  { after, prefixes, signal, batchMax = 500 }: Parameters<EventStore['subscribe']>[0],
): AsyncGenerator<Delivery, void> {
  let next = log.findIndex(({ position }) => isAfter(position, after))
  if (next === -1) next = log.length
  let position = log[next - 1]?.position ?? (after === 'start' ? BEFORE_ALL : after)
  let caughtUp = false
  let considered = 0
  while (!signal.aborted) {
    if (caughtUp && next === log.length) {
      await new Promise<void>((resolve) => {
        wakers.add(resolve)
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
      continue
    }
    const events: Recorded[] = []
    for (; next < log.length && events.length < batchMax; next++, considered++) {
      const event = log[next]
      if (event !== undefined && hasPrefix(prefixes, event)) events.push(event)
      position = event?.position ?? position
    }
    const first: boolean = !caughtUp && next === log.length
    caughtUp ||= first
    if (events.length === 0 && !first && considered < CHECKPOINT_EVERY) continue
    considered = 0
    yield { events, position, caughtUp }
  }
}

/**
 * The event store in memory, for tests: the same answers as the real one, and nothing survives.
 *
 * @param now the time that events are recorded at, RFC 3339
 */
export const memoryEventStore = (now: () => string = () => new Date().toISOString()): EventStore => {
  const state: State = { log: [], streams: new Map(), wakers: new Set() }
  const { log, streams, wakers } = state
  let nextPosition = 256n

  const write = (stream: string, events: readonly NewEvent[]): Recorded => {
    const recorded = streams.get(stream) ?? []
    streams.set(stream, recorded)
    let last: Recorded | undefined
    for (const event of events.map(copied)) {
      const position = { commit: nextPosition, prepare: nextPosition }
      last = { ...event, stream, revision: BigInt(recorded.length), position, recordedAt: now() }
      nextPosition += BigInt(64 + stream.length + JSON.stringify(event).length)
      recorded.push(last)
      log.push(last)
    }
    if (last === undefined) throw new Error('BUG: an append has at least one event')
    for (const wake of wakers) wake()
    wakers.clear()
    return last
  }

  return {
    read: async (stream, { from, limit = Infinity, backward = false } = {}) => {
      const recorded = streams.get(stream) ?? []
      const events = backward
        ? recorded.slice(0, from === undefined ? undefined : Number(from) + 1).toReversed()
        : recorded.slice(Number(from ?? 0n))
      return { events: events.slice(0, limit), revision: recorded.at(-1)?.revision ?? 'absent' }
    },
    append: async (stream, events, { expected }) => {
      const recorded = streams.get(stream) ?? []
      const wanted = expected === 'absent' ? 0 : Number(expected) + 1
      const found = recorded.slice(wanted, wanted + events.length)
      const repeated = sameIds(events, found) ? found.at(-1) : undefined
      if (repeated === undefined && recorded.length !== wanted) {
        const current = recorded.length === 0 ? 'absent' : `at ${recorded.length - 1}`
        throw new RevisionConflict(`stream ${stream} is ${current}, and was expected to be ${expected}`)
      }
      const { revision, position } = repeated ?? write(stream, events)
      return { revision, position }
    },
    readAll: async ({ after, prefixes, limit }) =>
      log.filter((event) => isAfter(event.position, after) && hasPrefix(prefixes, event)).slice(0, limit),
    subscribe: (options) => following(state, options),
    head: async () => log.at(-1)?.position ?? 'start',
  }
}
