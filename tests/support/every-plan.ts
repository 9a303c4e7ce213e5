import type { JobInput, JobKind } from '../../domain/datastore/messages.ts'
import type { Saga } from '../../domain/job/saga.ts'
import { sagas } from '../../sagas/index.ts'
import { inputsOf } from './examples.ts'

/** A kind of job, one of the inputs it may be given, and the plan it makes of it. */
export type Plan = {
  readonly kind: JobKind
  readonly name: string
  readonly input: JobInput
  readonly saga: Saga
}

const plansOf = (kind: JobKind): readonly Plan[] =>
  inputsOf[kind].map(([name, input]) => ({ kind, name, input, saga: sagas[kind](input) }))

const isKind = (text: string): text is JobKind => Object.hasOwn(inputsOf, text)

/** Every kind of job with each of its inputs; the last of a kind is the fullest. */
export const everyPlan: readonly Plan[] = Object.keys(inputsOf).filter(isKind).flatMap(plansOf)

/** The fullest plan of a kind of job. */
export const fullestPlan = (kind: JobKind): Plan => {
  const plan = plansOf(kind).at(-1)
  if (plan === undefined) throw new Error(`BUG: no input for ${kind}`)
  return plan
}
