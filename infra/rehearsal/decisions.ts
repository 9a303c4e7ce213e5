import type { Event } from '../../domain/kernel/decider.ts'
import type { Recorded } from '../../domain/kernel/event-store.ts'
import { PREFIXES, isKnown } from '../../projections/known-event.ts'
import { type StreamFold, isSameEvent } from './deciders.ts'

export type Deciders = Readonly<Record<string, (() => StreamFold) | undefined>>

/** Where a release would have done otherwise than is written. */
export type Divergence = {
  /** The event at which it shows. */
  readonly event: Recorded
  readonly recorded: unknown
  readonly instead: unknown
}

/** What is still expected of the decision whose first events have been seen. */
type Pending = { readonly commandId: string; expected: readonly Event[] }

type Stream = { readonly fold: StreamFold; pending: Pending | undefined; last: Recorded | undefined }

export type Decisions = {
  /** Takes in the next event of the log. */
  readonly take: (event: Recorded) => void
  /** To be asked when the log has come to its end. */
  readonly end: () => {
    readonly divergences: readonly Divergence[]
    /** Decided again, and the same came of it or not. */
    readonly decided: number
    /** Folded only: what was asked was not recorded then. */
    readonly folded: number
    /** Events that this release does not know. */
    readonly unknown: number
    readonly jobs: { readonly open: number; readonly ended: number }
    readonly isOpenJob: (stream: string) => boolean
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const plain = ({ type, data }: Event): Event => ({ type, data })

/**
 * Decides again what was decided, stream by stream: each command on the state that the recorded events lead to. A
 * decision that comes out otherwise does not lead the following ones astray, since those are folded from what is written.
 *
 * @param deciders of the release on trial, by what the names of their streams begin with
 */
export const decisions = (deciders: Deciders): Decisions => {
  const streams = new Map<string, Stream>()
  const divergences: Divergence[] = []
  let [decided, folded, unknown] = [0, 0, 0]

  const streamOf = ({ stream }: Recorded): Stream | undefined => {
    const known = streams.get(stream)
    if (known !== undefined) return known
    const begin = deciders[PREFIXES.find((prefix) => stream.startsWith(prefix)) ?? '']
    if (begin === undefined) return undefined
    const begun = { fold: begin(), pending: undefined, last: undefined }
    streams.set(stream, begun)
    return begun
  }

  /** Whether the decision before has all its events. */
  const settle = (stream: Stream): void => {
    const [missing] = stream.pending?.expected ?? []
    if (missing !== undefined && stream.last !== undefined) {
      divergences.push({ event: stream.last, recorded: 'no more events of this decision', instead: plain(missing) })
    }
    stream.pending = undefined
  }

  /** @returns what the release makes of the command, unless that is no events */
  const begin = (stream: Stream, event: Recorded): unknown => {
    const { command, commandId } = event.metadata
    if (command === undefined) {
      if (stream.last?.metadata.commandId !== commandId) folded += 1
      return undefined
    }
    decided += 1
    try {
      const outcome = stream.fold.decide(command)
      stream.pending = { commandId, expected: 'events' in outcome ? outcome.events : [] }
      return 'refused' in outcome ? { refused: outcome.refused } : undefined
    } catch (error) {
      stream.pending = { commandId, expected: [] }
      return { throws: messageOf(error) }
    }
  }

  const check = (stream: Stream, event: Recorded): void => {
    const { commandId } = event.metadata
    if (stream.pending?.commandId !== commandId) settle(stream)
    const otherwise = stream.pending === undefined ? begin(stream, event) : undefined
    const { pending } = stream
    if (pending === undefined) return
    const [expected, ...rest] = pending.expected
    if (isSameEvent(expected, event)) pending.expected = rest
    else if (expected !== undefined || otherwise !== undefined || pending.expected !== SPOILT) {
      divergences.push({ event, recorded: plain(event), instead: otherwise ?? (expected && plain(expected)) ?? 'nothing' })
      // One divergence is told of a decision.
      pending.expected = SPOILT
    }
  }

  return {
    take: (event) => {
      const stream = streamOf(event)
      if (stream === undefined || !isKnown(event)) {
        unknown += 1
        return
      }
      check(stream, event)
      try {
        stream.fold.evolve(event)
      } catch (error) {
        divergences.push({ event, recorded: plain(event), instead: { throws: messageOf(error) } })
      }
      stream.last = event
    },
    end: () => {
      for (const stream of streams.values()) settle(stream)
      const isOpenJob = (name: string): boolean =>
        name.startsWith('job-') && streams.get(name)?.fold.status() === 'running'
      const jobs = [...streams.keys()].filter((name) => name.startsWith('job-'))
      const open = jobs.filter(isOpenJob).length
      const sorted = divergences.toSorted((a, b) => Number(a.event.position.commit - b.event.position.commit))
      return { divergences: sorted, decided, folded, unknown, jobs: { open, ended: jobs.length - open }, isOpenJob }
    },
  }
}

/** Nothing more is expected of a decision that has come out otherwise. */
const SPOILT: readonly Event[] = []
