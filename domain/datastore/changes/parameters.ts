import type { ParameterValues } from '../../catalogue/parameters.ts'
import { reject } from '../../kernel/decider.ts'
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
  /** The group has changed: its new values go to the datastore only if that has the group when the job's turn comes. */
  readonly ofItsGroup?: true
}

/** The servers' parameters become these, and no others. The same ones again put right whatever has drifted from them. */
export const changeParameters: Rule<ChangeParameters, 'parameter-group-not-assigned'> = {
  changed: ({ spec, nodes }, { groupId, values }) => ({ spec: { ...spec, parameters: { groupId, values } }, nodes }),
  refusal: ({ spec }, { groupId, ofItsGroup }) =>
    ofItsGroup === true && (spec.parameters?.groupId ?? null) !== groupId
      ? reject('parameter-group-not-assigned', `the datastore has another parameter group than ${groupId}`)
      : undefined,
}
