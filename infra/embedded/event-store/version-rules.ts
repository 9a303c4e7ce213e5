import { ABSENT, TOMBSTONE } from './record.ts'

/** What an append expects of its stream: an exact revision (`-1` is "no stream"), or one of the two loose forms. */
export type Expected = number | 'any' | 'stream-exists'

/** How a stream stands when something is to be written to it. */
export type Standing = {
  /** Its last revision: ABSENT if there is none, TOMBSTONE if it has ended for ever. */
  readonly head: number
  /** Whether it has metadata, which makes it exist without an event. */
  readonly described: boolean
  /** Whether it is deleted until it is written again. */
  readonly hidden: boolean
}

/**
 * `write`: go ahead. `conflict` and `deleted`: refuse. `compare`: the stream is further on, so the events that follow
 * the expected revision decide: if they are the proposed ones, this is a repeat.
 */
export type Verdict = 'write' | 'conflict' | 'deleted' | 'compare'

/**
 * The rule of EventStoreDB for an append at `expected`.
 *
 * @param count how many events are proposed; an append of nothing is never a repeat
 */
export const verdictOn = (expected: Expected, { head, described, hidden }: Standing, count: number): Verdict => {
  if (head === TOMBSTONE) return 'deleted'
  if (expected === 'stream-exists') {
    if (hidden) return 'deleted'
    return head === ABSENT && !described ? 'conflict' : 'write'
  }
  if (expected === 'any' || expected === head) return 'write'
  return expected < head && count > 0 ? 'compare' : 'conflict'
}

/** Where an event of a recent append went. */
export type Whereabouts = { readonly stream: string; readonly revision: number; readonly position: number }

/**
 * The rule for the loose forms: all ids known in this stream is a repeat; the first one unknown is a new append; a
 * mixture is a conflict.
 */
export const repeatOf = (
  stream: string,
  known: readonly (Whereabouts | undefined)[],
): 'new' | 'conflict' | Whereabouts => {
  const here = known.map((it) => (it?.stream === stream ? it : undefined))
  if (here[0] === undefined) return 'new'
  const last = here.at(-1)
  return last === undefined || here.includes(undefined) ? 'conflict' : last
}

type Identified = { readonly id: string }

/**
 * The rule for an append behind the head: the events found after the expected revision are the proposed ones, in order
 * and all of them, which makes it a repeat; or it is a conflict. A hidden stream may be begun anew as if it were absent.
 */
export const comparison = (
  { expected, proposed, hidden }: {
    readonly expected: number
    readonly proposed: readonly Identified[]
    readonly hidden: boolean
  },
  found: readonly Identified[],
): 'repeat' | 'conflict' | 'write' => {
  if (proposed.length === found.length && proposed.every(({ id }, i) => id === found[i]?.id)) return 'repeat'
  return expected === ABSENT && hidden && proposed[0]?.id !== found[0]?.id ? 'write' : 'conflict'
}
