import { reject } from '../../kernel/decider.ts'
import type { Rule } from './rule.ts'

export type SetReadOnly = {
  readonly readOnly: boolean
  /** What was seen that asks for it. */
  readonly because: string
}

/** The guard of the volumes: the datastore takes no writes any more, or takes them again. */
export const setReadOnly: Rule<SetReadOnly, 'read-only-already'> = {
  changed: ({ spec, nodes }, { readOnly }) => ({ spec: { ...spec, readOnly }, nodes }),
  refusal: ({ spec }, { readOnly }) =>
    (spec.readOnly ?? false) === readOnly
      ? reject('read-only-already', readOnly ? 'the datastore is read-only already' : 'the datastore takes writes already')
      : undefined,
}
