import type { ParameterEdgeRejection } from '../../command-handlers/parameter-group-tools.ts'
import type { ParameterRejection } from '../../domain/catalogue/parameters.ts'
import type { ParameterGroupRejection } from '../../domain/parameter-group/messages.ts'
import type { Kind } from './problems.ts'

/** The refusals that are about parameters and their groups. A code without an entry does not compile. */
export const parameterProblems: Readonly<
  Record<ParameterEdgeRejection | ParameterGroupRejection | ParameterRejection | 'parameter-group-not-assigned', Kind>
> = {
  'malformed-parameter': {
    status: 400,
    means: 'A parameter cannot have this value. The message names the parameter and the rule.',
  },
  'parameter-group-in-use': { status: 409, means: 'A datastore has the parameter group. The message says which.' },
  'parameter-group-limit-reached': { status: 409, means: 'The organisation has as many parameter groups as it may have.' },
  'parameter-group-mismatch': { status: 400, means: 'The parameter group is for another vendor, version or type.' },
  'parameter-group-name-taken': { status: 409, means: 'There is a parameter group of this name already.' },
  'parameter-group-not-assigned': { status: 409, means: 'The datastore does not have the parameter group any more.' },
  'parameter-group-not-found': { status: 404, means: 'There is no such parameter group, or it belongs to another.' },
  'parameters-in-group': {
    status: 409,
    means: 'The datastore has its parameters from a group. Change the group, or apply another.',
  },
  'unknown-parameter': {
    status: 400,
    means: 'There is no such parameter for this version and type, or the control plane sets it itself.',
  },
}
