import { type Facts, ONLY, type Step, keysOf } from '../domain/job/saga.ts'

/**
 * Steps that do not need one another, as one step: their orders go out together, and it has succeeded when all of them have.
 * Two steps with an order for the same node cannot be had this way.
 *
 * @param title what the tenant reads while they run
 */
export const sideBySide = (name: string, title: string, steps: readonly Step[]): Step => {
  const places = (facts: Facts) =>
    steps.flatMap((step) =>
      keysOf(step, facts).map((key) => ({ step, key, at: key === ONLY ? `${ONLY}/${step.name}` : key })),
    )
  const placeOf = (facts: Facts, wanted: string) => {
    const place = places(facts).find(({ at }) => at === wanted)
    if (place === undefined) throw new Error(`BUG: ${name} has no order ${wanted}`)
    return place
  }
  const undo: Step['undo'] = (facts, at) => {
    const { step, key } = placeOf(facts, at)
    return step.undo?.(facts, key)
  }
  return {
    name,
    title,
    keys: (facts) => places(facts).map(({ at }) => at),
    does: (facts, at) => {
      const { step, key } = placeOf(facts, at)
      return step.does(facts, key)
    },
    ...(steps.some((step) => step.undo !== undefined) ? { undo } : {}),
    timeoutMs: Math.max(...steps.map(({ timeoutMs }) => timeoutMs)),
    attemptsMax: Math.max(...steps.map(({ attemptsMax }) => attemptsMax)),
    backoffMs: Math.min(...steps.map(({ backoffMs }) => backoffMs)),
  }
}
