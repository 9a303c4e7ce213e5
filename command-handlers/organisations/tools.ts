import { createHash } from 'node:crypto'
import { Refused, type Request } from '../../domain/kernel/endpoint.ts'
import type { Cause, Position } from '../../domain/kernel/event-store.ts'
import type { Role } from '../../domain/kernel/roles.ts'
import type { Outbox } from '../../domain/kernel/mail.ts'
import type { Acting, OrganisationCommand } from '../../domain/organisation/messages.ts'
import { organisation } from '../../domain/organisation/organisation.ts'
import { forbidden } from '../auth/refusals.ts'
import { handle } from '../handle.ts'
import { asking, type Sending } from '../sending.ts'
import { streamOf } from './membership.ts'

type SecretRef = { readonly ownerId: string; readonly subjectId: string; readonly name: string }

/** The vault of invitations' tokens; `subjectId` is the invitation. */
export type InvitationTokens = {
  /** The token, made if there is none: 32 random bytes in base64url. */
  readonly ensure: (ref: SecretRef) => Promise<string>
  readonly destroySubject: (subjectId: string) => Promise<void>
}

/** What is known of organisations beside their streams. */
export type Organisations = {
  /** The open invitation with that token. */
  readonly invitationBy: (
    tokenHash: string,
  ) => Promise<{ readonly organisationId: string; readonly invitationId: string } | undefined>
  readonly nameOf: (organisationId: string) => Promise<string>
  /** How many organisations a user is a member of. */
  readonly countOf: (userId: string) => Promise<number>
  /** What an organisation has, each in a word and its id; it cannot be deleted before that. */
  readonly holdings: (ownerId: string) => Promise<readonly string[]>
}

export type OrganisationEndpoints = Sending & {
  readonly organisations: Organisations
  readonly tokens: InvitationTokens
  readonly outbox: Outbox
  /** What else ends with an organisation. Each may be called again. */
  readonly endings: readonly ((organisationId: string) => Promise<void>)[]
  /** What clients call us. */
  readonly publicUrl: string
}

export type OrganisationEdgeRejection = 'organisation-limit-reached'

type Asked = Request<unknown, unknown, unknown>

export const PATH = '/api/v1/organisations'
export const tag = 'Organisations'
const TOKEN_NAME = 'invitation-token'

export const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url')

export const tokenRef = (organisationId: string, invitationId: string): SecretRef => ({
  ownerId: organisationId,
  subjectId: invitationId,
  name: TOKEN_NAME,
})

/** As what the one who asks acts, in the organisation that the path names. */
export const actingAs = ({ principal: { userId, role } }: Asked): Acting => ({ userId, role })

/** What concerns a person is asked by the person: a token that leaked must not join, leave or hand over. */
export const refuseClients = ({ principal: { kind } }: Asked): void => {
  if (kind === 'client') throw forbidden('this is for the user, not for clients that act for him')
}

export type OrganisationTools = ReturnType<typeof organisationTools>

/** What every call about an organisation needs. */
export const organisationTools = (options: OrganisationEndpoints) => {
  const { store, around = (send) => send } = options
  const sending = around(handle({ store }, organisation, ({ data }) => streamOf(data.organisationId)))
  const { cause, once } = asking(options)
  return {
    once,
    cause,
    /** The cause of what someone does to an organisation that the request does not act in the name of. */
    causeAbout: async (request: Asked, commandId: string, organisationId: string, role?: Role): Promise<Cause> => {
      const { actor, ...rest } = await cause(request, commandId)
      const { role: _, ...roleless } = actor
      return { ...rest, actor: { ...roleless, ...(role === undefined ? {} : { role }) }, organisationId }
    },
    /** @throws Refused what the domain refuses */
    send: async (command: OrganisationCommand, because: Cause): Promise<Position | undefined> => {
      const outcome = await sending(command, because)
      if ('rejection' in outcome) throw new Refused(outcome.rejection)
      return outcome.position
    },
  }
}
