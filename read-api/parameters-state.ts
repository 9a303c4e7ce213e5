import { type ParameterValues, sameValues } from '../domain/catalogue/parameters.ts'
import type { ParametersRow } from '../projections/parameter-rows.ts'

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
  if (failed !== null && (wanted === undefined || sameValues(failed.parameters, wanted))) return 'failed'
  return wanted === undefined || sameValues(applied.parameters, wanted) ? 'synced' : 'pending'
}
