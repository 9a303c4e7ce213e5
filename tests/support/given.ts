import * as assert from 'uvu/assert'
import { type Command, type Decider, type Event, isRejection } from '../../domain/kernel/decider.ts'

const closed = (): never => {
  throw new Error('BUG: a frozen collection was changed')
}

/**
 * Freezes a value to its last leaf. Maps and sets, which `Object.freeze` leaves open, get members that throw.
 *
 * @returns the same value
 */
export const deepFreeze = <T>(value: T): T => {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  if (value instanceof Map || value instanceof Set) {
    for (const part of value instanceof Map ? [...value.keys(), ...value.values()] : value) deepFreeze(part)
    for (const name of ['set', 'add', 'delete', 'clear']) Object.defineProperty(value, name, { value: closed })
  }
  for (const part of Object.values(value)) deepFreeze(part)
  return Object.freeze(value)
}

/** Folds events over frozen states, so that an `evolve` that changes what it was given fails. */
export const fold = <C extends Command, E extends Event, S, Code extends string>(
  decider: Decider<C, E, S, Code>,
  events: readonly E[],
): S =>
  events.reduce((state, event) => deepFreeze(decider.evolve(state, deepFreeze(event))), deepFreeze(decider.initial))

export type Expectation<E extends Event, Code extends string> = {
  /** Exactly these events, compared as whole values. */
  readonly then: (...expected: readonly E[]) => void
  readonly thenNothing: () => void
  readonly thenRejected: (code: Code) => void
}

/**
 * One sentence about a decider: given these events, when this command comes, then exactly this follows.
 * What was decided must also survive being written and read back, and be understood by `evolve`.
 */
export const given = <C extends Command, E extends Event, S, Code extends string>(
  decider: Decider<C, E, S, Code>,
  ...events: readonly E[]
): { readonly when: (command: C) => Expectation<E, Code> } => ({
  when: (command) => {
    const state = fold(decider, events)
    const decision = decider.decide(deepFreeze(command), state)
    const then = (...expected: readonly E[]): void => {
      assert.equal(decision, expected)
      if (isRejection(decision)) return
      assert.equal(JSON.parse(JSON.stringify(decision)), decision, 'what was decided is not what would be read back')
      fold(decider, [...events, ...decision])
    }
    return {
      then,
      thenNothing: () => then(),
      thenRejected: (code) => {
        assert.ok(isRejection(decision), `expected ${code}, got ${JSON.stringify(decision)}`)
        assert.is(decision.rejected, code)
        assert.ok(decision.because.length > 0, 'a refusal says why')
      },
    }
  },
})
