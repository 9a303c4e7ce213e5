import { Refused } from '../../domain/kernel/endpoint.ts'
import type { Cause, EventStore } from '../../domain/kernel/event-store.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import type { OrganisationCommand, OrganisationEvent, OrganisationRejection } from '../../domain/organisation/messages.ts'
import { type Organisation, organisation } from '../../domain/organisation/organisation.ts'
import type { ErasureRejection } from '../auth/erase.ts'
import { fold, handle } from '../handle.ts'
import { streamOf } from './membership.ts'

export type Leaving = {
  readonly store: Pick<EventStore, 'read' | 'append'>
  /** What an owner has, each in a word and its id. */
  readonly holdings: (ownerId: string) => Promise<readonly string[]>
  /** The organisations that a user is a member of, as the read models know. */
  readonly idsOf: (userId: string) => Promise<readonly string[]>
  readonly now: () => Instant
}

type Left = { readonly organisationId: string; readonly alone: boolean }

/**
 * The organisations that go on without him, or go with him because he is alone in one that has nothing.
 *
 * @throws Refused `organisation-in-use` while something would be left without anybody; `last-owner`
 */
const leavings = async ({ store, holdings, idsOf }: Leaving, userId: string): Promise<readonly Left[]> => {
  const held: string[] = []
  const found: Left[] = []
  for (const organisationId of await idsOf(userId)) {
    const { state } = await fold<OrganisationEvent, Organisation>({ store }, organisation, streamOf(organisationId))
    if (state.status !== 'live' || !state.members.has(userId)) continue
    const owners = [...state.members].flatMap(([id, role]) => (role === 'owner' ? [id] : []))
    const alone = state.members.size === 1
    if (alone) held.push(...(await holdings(organisationId)))
    else if (owners.length === 1 && owners[0] === userId) {
      const because = `the user is the last owner of the organisation ${organisationId}, which others are in`
      throw new Refused({ rejected: 'last-owner' satisfies OrganisationRejection, because })
    }
    found.push({ organisationId, alone })
  }
  if (held.length === 0) return found
  throw new Refused({
    rejected: 'organisation-in-use' satisfies ErasureRejection,
    because: `an organisation that nobody else is in still has something; delete that first: ${held.slice(0, 10).join(', ')}`,
  })
}

/**
 * Takes a user out of all his organisations, before his account is closed; those he is alone in are deleted. Nothing is
 * done if one of them cannot be left.
 *
 * @param causeIn why, for what is written about an organisation
 * @throws Refused `organisation-in-use` while something would be left without anybody; `last-owner`
 */
export const leaveOrganisations = async (
  leaving: Leaving,
  userId: string,
  causeIn: (organisationId: string) => Promise<Cause>,
): Promise<void> => {
  const send = handle({ store: leaving.store }, organisation, ({ data }: OrganisationCommand) => streamOf(data.organisationId))
  for (const { organisationId, alone } of await leavings(leaving, userId)) {
    const data = { organisationId, now: leaving.now() }
    const outcome = alone
      ? await send({ type: 'DeleteOrganisation', data }, await causeIn(organisationId))
      : await send({ type: 'RemoveMember', data: { ...data, userId, by: null } }, await causeIn(organisationId))
    if ('rejection' in outcome) throw new Refused(outcome.rejection)
  }
}
