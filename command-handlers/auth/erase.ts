import { account, type Account, type AccountEvent } from '../../domain/account/account.ts'
import type { Actor, EventStore, Position } from '../../domain/kernel/event-store.ts'
import { Refused } from '../../domain/kernel/endpoint.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import type { OrganisationEvent } from '../../domain/organisation/messages.ts'
import { type Organisation, organisation } from '../../domain/organisation/organisation.ts'
import { fold, handle } from '../handle.ts'
import { streamOf } from '../organisations/membership.ts'
import type { Credentials, Sessions } from './ports.ts'
import { causeBy, sendToAccount } from './register.ts'

export type Erasing = {
  readonly store: Pick<EventStore, 'read' | 'append'>
  readonly credentials: Pick<Credentials, 'forget'>
  readonly sessions: Pick<Sessions, 'endAllOf'>
  /** The ids of the datastores that are not deleted. */
  readonly datastoresOf: (organisationId: string) => Promise<readonly string[]>
  /** Takes a user out of all organisations; throws a refusal where one cannot be left. */
  readonly leave: (userId: string) => Promise<void>
  /** Resolves once the read models have the position. */
  readonly settled: (position: Position | undefined) => Promise<void>
  /** What else ends with it. Each may be called again. */
  readonly endings: readonly ((organisationId: string) => Promise<void>)[]
  /** Resolves when no process can use the key any more. */
  readonly destroyKey: (organisationId: string) => Promise<void>
  readonly now: () => Instant
}

export type ErasureRejection = 'organisation-in-use'

const inUse = (datastores: readonly string[]): Refused =>
  new Refused({
    rejected: 'organisation-in-use' satisfies ErasureRejection,
    because: `the organisation has datastores; delete them first: ${datastores.join(', ')}`,
  })

/**
 * Closes for ever what goes by the id: an organisation of several, or a user's own account.
 *
 * @throws Refused `account-not-found` where nothing does
 */
const close = async (
  { store, leave, now }: Erasing,
  organisationId: string,
  actor: Actor,
): Promise<Position | undefined> => {
  const { state } = await fold<OrganisationEvent, Organisation>({ store }, organisation, streamOf(organisationId))
  const because = causeBy(actor, organisationId)
  if (state.status !== 'absent') {
    const send = handle({ store }, organisation, ({ data }) => streamOf(data.organisationId))
    const outcome = await send({ type: 'EraseOrganisationData', data: { organisationId, now: now() } }, because)
    if ('rejection' in outcome) throw new Refused(outcome.rejection)
    return outcome.position
  }
  await leave(organisationId)
  const command = { type: 'EraseOrganisation', data: { accountId: organisationId, now: now() } } as const
  const outcome = await sendToAccount({ store })(command, because)
  if ('rejection' in outcome) throw new Refused(outcome.rejection)
  return outcome.position
}

/**
 * Erases an organisation, or a user's own scope: closes it for ever, ends whatever acts for it, and destroys its key, so
 * that its personal data cannot be read any more wherever it lies. Nothing is taken out of the log, so proofs go on to
 * verify.
 * Each part may be done again: an erasure that was cut off is finished by another one.
 *
 * @param actor who erases it
 * @throws Refused `organisation-in-use` while it has datastores; `last-owner` while others need him; `account-not-found`
 */
export const eraseOrganisation = async (erasing: Erasing, organisationId: string, actor: Actor): Promise<void> => {
  const { store, credentials, sessions, datastoresOf, settled, endings, destroyKey } = erasing
  const before = await datastoresOf(organisationId)
  if (before.length > 0) throw inUse(before)
  await settled(await close(erasing, organisationId, actor))
  await sessions.endAllOf(organisationId)
  const { events } = await fold<AccountEvent, Account>({ store }, account, `account-${organisationId}`)
  const clients = events.flatMap(({ type, data }) => (type === 'ClientCreated' ? [data.clientId] : []))
  await credentials.forget([organisationId, ...clients])
  // One that was asked for a moment ago needs its secrets until it is deleted.
  const since = await datastoresOf(organisationId)
  if (since.length > 0) throw inUse(since)
  for (const end of endings) await end(organisationId)
  await destroyKey(organisationId)
}
