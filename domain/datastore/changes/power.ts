import type { Rule, Shape } from './rule.ts'

export type NoBody = object

/** Every server down and every machine off; data, names and addresses stay. */
export const stopDatastore: Rule<NoBody, never> = {
  changed: ({ spec, nodes }) => ({ spec: { ...spec, stopped: true }, nodes }),
  refusal: () => undefined,
  isSo: (shape) => isStopped(shape),
  whileStopped: true,
}

/** What was stopped serves again, with the roles it had. */
export const startDatastore: Rule<NoBody, never> = {
  changed: ({ spec, nodes }) => ({ spec: { ...spec, stopped: false }, nodes }),
  refusal: () => undefined,
  isSo: (shape) => !isStopped(shape),
  whileStopped: true,
}

const isStopped = ({ spec }: Shape): boolean => spec.stopped === true
