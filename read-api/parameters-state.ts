import type { ParameterValues } from '../domain/catalogue/parameters.ts'
import { isSame } from '../domain/parameter-group/parameter-group.ts'
import type { ParametersRow } from '../projections/schema.ts'

export type ParametersStatus = 'synced' | 'pending' | 'failed'

type Row = Pick<ParametersRow, 'applied' | 'waiting' | 'failed'>

/** The group that a datastore has, or is about to have. */
export const groupOf = ({ applied, waiting }: Row): string | null => (waiting.at(-1) ?? applied).group_id

/**
 * How a datastore's parameters stand.
 *
 * @param wanted what they should be: its group's values as they are now; absent for values of its own
 */
export const statusOf = ({ applied, waiting, failed }: Row, wanted?: ParameterValues): ParametersStatus => {
  if (waiting.length > 0) return 'pending'
  if (failed !== null && (wanted === undefined || isSame(failed.parameters, wanted))) return 'failed'
  return wanted === undefined || isSame(applied.parameters, wanted) ? 'synced' : 'pending'
}
