import type { ParameterValues } from '../../catalogue/parameters.ts'
import type { Rule } from './rule.ts'

export type ChangeParameters = {
  /** The group that the values come from; null for values of the datastore's own. */
  readonly groupId: string | null
  /** All that is chosen; whatever is not named goes back to its default. */
  readonly values: ParameterValues
  /** The parameters that a server takes over only when it is started anew. */
  readonly restarts: readonly string[]
  /** The parameters of which a replica needs at least what its primary has, with what holds where nothing is chosen. */
  readonly replicaNeeds: Readonly<Record<string, number>>
}

/** The servers' parameters become these, and no others. The same ones again put right whatever has drifted from them. */
export const changeParameters: Rule<ChangeParameters, never> = {
  changed: ({ spec, nodes }, { groupId, values }) => ({ spec: { ...spec, parameters: { groupId, values } }, nodes }),
  refusal: () => undefined,
  atWork: ({ spec }) => spec,
}
