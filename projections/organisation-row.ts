import type { Role } from '../domain/kernel/roles.ts'
import type { Sealed } from '../domain/kernel/sealed.ts'
import type { Instant } from '../domain/kernel/time.ts'

export type MemberEntry = { readonly user_id: string; readonly role: Role; readonly since: Instant }

type InvitationEntry = {
  readonly invitation_id: string
  readonly address: Sealed
  readonly role: Role
  readonly token_hash: string
  readonly invited_by: string
  readonly created_at: Instant
  readonly expires_at: Instant
}

/** People who own datastores together. */
export type OrganisationRow = {
  readonly organisation_id: string
  readonly name: Sealed
  /** In the order in which they came. */
  readonly members: readonly MemberEntry[]
  /** Neither accepted, declined nor taken back; some of them have run out. */
  readonly invitations: readonly InvitationEntry[]
  readonly created_at: Instant
  readonly updated_at: Instant
}
