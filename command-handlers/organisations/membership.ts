import type { EventStore } from '../../domain/kernel/event-store.ts'
import { type Organisation, organisation } from '../../domain/organisation/organisation.ts'
import type { OrganisationEvent } from '../../domain/organisation/messages.ts'
import type { RoleIn } from '../auth/authenticator.ts'
import { fold } from '../handle.ts'

export const streamOf = (organisationId: string): string => `organisation-${organisationId}`

/**
 * What users are in organisations, read from the organisation's own stream: a read model that lags behind would let in
 * someone who was removed a moment ago.
 */
export const rolesIn =
  (store: Pick<EventStore, 'read'>): RoleIn =>
  async (userId, organisationId, asOf) => {
    const { state } = await fold<OrganisationEvent, Organisation>({ store }, organisation, streamOf(organisationId))
    if (state.status !== 'live') return undefined
    const since = state.since.get(userId)
    return asOf !== undefined && since !== undefined && since > asOf ? undefined : state.members.get(userId)
  }
