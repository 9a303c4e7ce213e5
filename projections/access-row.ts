import type { Sealed } from '../domain/kernel/sealed.ts'
import type { Instant } from '../domain/kernel/time.ts'

/** How far what was asked for has come. */
export type AccessStatus = 'creating' | 'created' | 'dropping'

/** The databases and users of one datastore that were asked for here, beside the first database and its administrator. */
export type AccessRow = {
  readonly datastore_id: string
  readonly owner_id: string
  readonly admin: string
  readonly first_database: string
  /** Names the administrator's password in the vault, once it has been changed. */
  readonly admin_vault_id: string | null
  readonly databases: readonly {
    readonly database_id: string
    readonly name: Sealed
    /** Null: the administrator. */
    readonly owner: Sealed | null
    readonly status: AccessStatus
  }[]
  readonly users: readonly {
    readonly user_id: string
    readonly name: Sealed
    readonly second: Sealed
    readonly admin: boolean
    readonly grants: readonly {
      readonly database_id: string
      readonly database: Sealed
      readonly privilege: 'read' | 'write' | 'ddl' | 'all'
    }[]
    /** The last one is what he is told. */
    readonly logins: readonly { readonly slot: 'first' | 'second'; readonly vault_id: string; readonly until: Instant | null }[]
    readonly status: AccessStatus
  }[]
  /** When the first of the logins ends that are to end. */
  readonly ends_at: Instant | null
}
