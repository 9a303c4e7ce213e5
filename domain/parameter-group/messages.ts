import type { ParameterValues } from '../catalogue/parameters.ts'
import type { Command, Event } from '../kernel/decider.ts'
import type { Sealed } from '../kernel/sealed.ts'
import type { Instant } from '../kernel/time.ts'

type About<Data extends object = object> = Data & { readonly ownerId: string; readonly groupId: string; readonly at: Instant }

/** Name and description are the owner's own words. `nameId` follows from owner and name, and tells names apart. */
type Naming = { readonly name: Sealed; readonly nameId: string }

export type ParameterGroupCreated = Event<
  'ParameterGroupCreated',
  About<
    Naming & {
      readonly description: Sealed | null
      /** The kind of datastore that it is for. */
      readonly vendor: string
      readonly version: string
      readonly type: string
      readonly values: ParameterValues
    }
  >
>
/** Holds what was changed, and nothing else. */
export type ParameterGroupChanged = Event<
  'ParameterGroupChanged',
  About<Partial<Naming> & { readonly description?: Sealed | null; readonly values?: ParameterValues }>
>
/** A job that gives its values to a datastore is about to be asked for. */
export type ParameterGroupChosen = Event<
  'ParameterGroupChosen',
  About<{ readonly datastoreId: string; readonly jobId: string }>
>
export type ParameterGroupDeleted = Event<'ParameterGroupDeleted', About>

export type ParameterGroupEvent =
  | ParameterGroupCreated
  | ParameterGroupChanged
  | ParameterGroupChosen
  | ParameterGroupDeleted

type Asking<Data extends object = object> = Data & {
  readonly ownerId: string
  readonly groupId: string
  readonly now: Instant
}

export type CreateParameterGroup = Command<'CreateParameterGroup', Asking<Omit<ParameterGroupCreated['data'], keyof About>>>
/** What is absent stays as it is. */
export type ChangeParameterGroup = Command<'ChangeParameterGroup', Asking<Omit<ParameterGroupChanged['data'], keyof About>>>
export type ChooseParameterGroup = Command<
  'ChooseParameterGroup',
  Asking<{ readonly datastoreId: string; readonly jobId: string }>
>
export type DeleteParameterGroup = Command<
  'DeleteParameterGroup',
  Asking<{
    /** Choices, by their jobs, of which nothing is left: the datastore is gone, has another group, or never got this one. */
    readonly free: readonly string[]
  }>
>

export type ParameterGroupCommand =
  | CreateParameterGroup
  | ChangeParameterGroup
  | ChooseParameterGroup
  | DeleteParameterGroup

export type ParameterGroupRejection =
  | 'parameter-group-in-use'
  | 'parameter-group-limit-reached'
  | 'parameter-group-name-taken'
  | 'parameter-group-not-found'
