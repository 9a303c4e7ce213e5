import { z } from 'zod'
import { isLink } from '../links.ts'
import type { Delivery, Message } from './message.ts'

/** What a strategy knows of a consumer. */
export type Candidate = {
  /** How many messages it may have in hand at once. */
  readonly bufferSize: number
  /** What it has in hand, by id. */
  readonly inFlight: ReadonlyMap<string, Message>
}

/** `busy`: nobody takes this message now. `full`: nobody takes any. */
export type Choice<C> = C | 'busy' | 'full'

/** Which consumer of a group gets a message. */
export type Strategy<C> = {
  readonly join: (consumer: C) => void
  readonly leave: (consumer: C) => void
  readonly choose: (delivery: Delivery) => Choice<C>
}

const hasRoom = ({ bufferSize, inFlight }: Candidate): boolean => inFlight.size < bufferSize

/** Consumers in a row; the first with room is asked. `turn`: whether who has been asked goes to the end. */
const inTurn = (turn: boolean) => <C extends Candidate>(): Strategy<C> => {
  let row: C[] = []
  return {
    join: (consumer) => void row.push(consumer),
    leave: (consumer) => {
      row = row.filter((it) => it !== consumer)
    },
    choose: () => {
      const index = row.findIndex(hasRoom)
      const chosen = row[index]
      if (chosen === undefined) return 'full'
      const next = turn ? index + 1 : index
      row = [...row.slice(next), ...row.slice(0, next)]
      return chosen
    },
  }
}

const BUCKETS = 1_024

/** FNV-1a; any hash will do that spreads well. */
const bucketOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % BUCKETS
}

/**
 * What is alike goes to the same consumer, as long as it stays and nobody new needs a share. A full consumer keeps its
 * own waiting, not the others'.
 *
 * @param likeness events with the same one are alike
 */
const pinned = (likeness: (delivery: Delivery) => string) => <C extends Candidate>(): Strategy<C> => {
  const owners = new Map<number, C>()
  const owned = new Map<C, Set<number>>()
  const assign = (bucket: number, consumer: C): void => {
    const before = owners.get(bucket)
    if (before !== undefined) owned.get(before)?.delete(bucket)
    owners.set(bucket, consumer)
    owned.get(consumer)?.add(bucket)
  }
  const least = (): C | undefined => {
    const [first] = [...owned].toSorted(([, a], [, b]) => a.size - b.size)
    return first?.[0]
  }
  /** Buckets without a message in hand first, so that fewer are with two consumers at once. */
  const surplus = (consumer: C, buckets: ReadonlySet<number>, fair: number): readonly number[] => {
    const busy = new Set([...consumer.inFlight.values()].map((it) => bucketOf(likeness(it))))
    return [...buckets].toSorted((a, b) => Number(busy.has(a)) - Number(busy.has(b))).slice(0, buckets.size - fair)
  }
  return {
    join: (consumer) => {
      const fair = Math.ceil(owners.size / (owned.size + 1))
      const moved = [...owned].flatMap(([it, buckets]) => (buckets.size > fair ? surplus(it, buckets, fair) : []))
      owned.set(consumer, new Set())
      for (const bucket of moved) assign(bucket, consumer)
    },
    leave: (consumer) => {
      for (const bucket of owned.get(consumer) ?? []) owners.delete(bucket)
      owned.delete(consumer)
    },
    choose: (delivery) => {
      if (![...owned.keys()].some(hasRoom)) return 'full'
      const bucket = bucketOf(likeness(delivery))
      const owner = owners.get(bucket) ?? least()
      if (owner === undefined) return 'full'
      if (!owners.has(bucket)) assign(bucket, owner)
      return hasRoom(owner) ? owner : 'busy'
    },
  }
}

/** The stream an event stands in: a link's target, even when that is gone. */
const streamOf = ({ event, original }: Delivery): string => {
  const record = event ?? original
  if (!isLink(record)) return record.stream
  const text = record.data.toString()
  return text.slice(text.indexOf('@') + 1)
}

const Correlated = z.object({ $correlationId: z.string() })

const correlationOf = (delivery: Delivery): string => {
  const { metadata } = delivery.event ?? delivery.original
  try {
    const parsed = Correlated.safeParse(JSON.parse(metadata.toString()))
    if (parsed.success) return parsed.data.$correlationId
  } catch {
    // Metadata need not be JSON.
  }
  return streamOf(delivery)
}

/** The consumer strategies by the names clients know them by. */
export const STRATEGIES = {
  RoundRobin: inTurn(true),
  DispatchToSingle: inTurn(false),
  Pinned: pinned(streamOf),
  PinnedByCorrelation: pinned(correlationOf),
} as const

export type StrategyName = keyof typeof STRATEGIES
