import { ABSENT } from './record.ts'

/** What an append expects of its stream: an exact revision (`-1` is "no stream"), or one of the two loose forms. */
export type Expected = number | 'any' | 'stream-exists'

/**
 * `write`: go ahead. `conflict`: refuse. `compare`: the stream is further on, so the events that follow the expected
 * revision decide: if they are the proposed ones, this is a repeat.
 */
export type Verdict = 'write' | 'conflict' | 'compare'

/**
 * The rule of EventStoreDB for an append at `expected` to a stream whose last revision is `head`.
 *
 * @param count how many events are proposed; an append of nothing is never a repeat
 */
export const verdictOn = (expected: Expected, head: number, count: number): Verdict => {
  if (expected === 'any' || expected === head) return 'write'
  if (expected === 'stream-exists') return head === ABSENT ? 'conflict' : 'write'
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

/** Whether the events found behind the expected revision are the proposed ones, in order and all of them. */
export const sameIds = (proposed: readonly Identified[], found: readonly Identified[]): boolean =>
  proposed.length === found.length && proposed.every(({ id }, i) => id === found[i]?.id)
