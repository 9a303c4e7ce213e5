import type { Command, Event } from '../kernel/decider.ts'
import type { Role } from '../kernel/roles.ts'
import type { Sealed } from '../kernel/sealed.ts'
import type { Instant } from '../kernel/time.ts'

type About<Data extends object = object> = Data & { readonly organisationId: string; readonly at: Instant }

/** Whoever makes it is its first owner. */
export type OrganisationCreated = Event<'OrganisationCreated', About<{ readonly name: Sealed; readonly userId: string }>>
export type OrganisationRenamed = Event<'OrganisationRenamed', About<{ readonly name: Sealed }>>
/** The token went to the address by mail, and is kept nowhere but in the vault; here is its hash. */
export type MemberInvited = Event<
  'MemberInvited',
  About<{
    readonly invitationId: string
    readonly address: Sealed
    /** Derived from the address, to tell one from another. */
    readonly addressId: string
    readonly role: Role
    readonly tokenHash: string
    readonly by: string
    readonly expiresAt: Instant
  }>
>
/** `stale`: whoever gave it may give that role no longer, or has given the address another. */
export type InvitationRevoked = Event<
  'InvitationRevoked',
  About<{ readonly invitationId: string; readonly because: 'asked' | 'stale' }>
>
export type InvitationDeclined = Event<'InvitationDeclined', About<{ readonly invitationId: string }>>
export type MemberJoined = Event<
  'MemberJoined',
  About<{ readonly invitationId: string; readonly userId: string; readonly role: Role }>
>
export type MemberRoleChanged = Event<
  'MemberRoleChanged',
  About<{ readonly userId: string; readonly role: Role; readonly previously: Role }>
>
export type MemberRemoved = Event<'MemberRemoved', About<{ readonly userId: string }>>
export type MemberLeft = Event<'MemberLeft', About<{ readonly userId: string }>>
/** The one is its owner from now on, the other one of its administrators. */
export type OwnershipHandedOver = Event<'OwnershipHandedOver', About<{ readonly from: string; readonly to: string }>>
/** Credentials for the stream of its public events were made; those before them hold no more. The password is nowhere here. */
export type OrganisationStreamOpened = Event<'OrganisationStreamOpened', About>
export type OrganisationStreamClosed = Event<'OrganisationStreamClosed', About>
/** Nobody acts in its name any more. What it wrote can still be read. */
export type OrganisationDeleted = Event<'OrganisationDeleted', About>
/** Its key is to be destroyed: what was personal in it can be read by nobody any more. */
export type OrganisationDataErased = Event<'OrganisationDataErased', About>

export type OrganisationEvent =
  | OrganisationCreated
  | OrganisationRenamed
  | MemberInvited
  | InvitationRevoked
  | InvitationDeclined
  | MemberJoined
  | MemberRoleChanged
  | MemberRemoved
  | MemberLeft
  | OwnershipHandedOver
  | OrganisationStreamOpened
  | OrganisationStreamClosed
  | OrganisationDeleted
  | OrganisationDataErased

type Asking<Data extends object = object> = Data & { readonly organisationId: string; readonly now: Instant }

/** The member who asks, and the most that he may make use of: a client of his may have less than he. */
export type Acting = { readonly userId: string; readonly role: Role }

export type CreateOrganisation = Command<'CreateOrganisation', Asking<{ readonly name: Sealed; readonly userId: string }>>
export type RenameOrganisation = Command<'RenameOrganisation', Asking<{ readonly name: Sealed }>>
export type InviteMember = Command<
  'InviteMember',
  Asking<{
    readonly invitationId: string
    readonly address: Sealed
    readonly addressId: string
    readonly role: Role
    readonly tokenHash: string
    readonly by: Acting
    readonly expiresAt: Instant
  }>
>
export type RevokeInvitation = Command<'RevokeInvitation', Asking<{ readonly invitationId: string }>>
export type AcceptInvitation = Command<
  'AcceptInvitation',
  Asking<{ readonly invitationId: string; readonly tokenHash: string; readonly userId: string }>
>
export type DeclineInvitation = Command<
  'DeclineInvitation',
  Asking<{ readonly invitationId: string; readonly tokenHash: string }>
>
export type ChangeMemberRole = Command<
  'ChangeMemberRole',
  Asking<{ readonly userId: string; readonly role: Role; readonly by: Acting }>
>
/** Everyone may remove himself. Null: an operator, who deletes the account. */
export type RemoveMember = Command<'RemoveMember', Asking<{ readonly userId: string; readonly by: Acting | null }>>
export type HandOverOwnership = Command<'HandOverOwnership', Asking<{ readonly to: string; readonly by: Acting }>>
export type OpenOrganisationStream = Command<'OpenOrganisationStream', Asking>
export type CloseOrganisationStream = Command<'CloseOrganisationStream', Asking>
/** Whoever sends it has seen that the organisation has nothing any more. */
export type DeleteOrganisation = Command<'DeleteOrganisation', Asking>
export type EraseOrganisationData = Command<'EraseOrganisationData', Asking>

export type OrganisationCommand =
  | CreateOrganisation
  | RenameOrganisation
  | InviteMember
  | RevokeInvitation
  | AcceptInvitation
  | DeclineInvitation
  | ChangeMemberRole
  | RemoveMember
  | HandOverOwnership
  | OpenOrganisationStream
  | CloseOrganisationStream
  | DeleteOrganisation
  | EraseOrganisationData

export type OrganisationRejection =
  | 'already-member'
  | 'expiry-in-the-past'
  | 'invitation-limit-reached'
  | 'invitation-not-found'
  | 'last-owner'
  | 'member-limit-reached'
  | 'member-not-found'
  | 'organisation-not-found'
  | 'role-too-high'
