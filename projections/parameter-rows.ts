import type { ParameterValues } from '../domain/catalogue/parameters.ts'
import type { Sealed } from '../domain/kernel/sealed.ts'
import type { Instant } from '../domain/kernel/time.ts'

/** The owner's own words are sealed. */
export type ParameterGroupRow = {
  readonly group_id: string
  readonly owner_id: string
  readonly name: Sealed
  readonly description: Sealed | null
  /** The kind of datastore that it is for. */
  readonly vendor: string
  readonly version: string
  readonly type: string
  readonly parameters: ParameterValues
  readonly created_at: Instant
  readonly updated_at: Instant
}

type ChosenParameters = { readonly group_id: string | null; readonly parameters: ParameterValues }

/** What is chosen of one datastore's parameters. */
export type ParametersRow = {
  readonly datastore_id: string
  readonly owner_id: string
  readonly applied: ChosenParameters
  /** What jobs that have not ended are to apply, in their order. */
  readonly waiting: readonly (ChosenParameters & { readonly job_id: string })[]
  /** What could not be applied, if that was the last that was tried. */
  readonly failed: (ChosenParameters & { readonly because: string }) | null
  readonly updated_at: Instant
}
