import { account, type Account, type AccountEvent } from '../../domain/account/account.ts'
import type { Actor, EventStore, Position } from '../../domain/kernel/event-store.ts'
import { Refused } from '../../domain/kernel/endpoint.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import { fold } from '../handle.ts'
import type { Credentials, Sessions } from './ports.ts'
import { causeBy, sendToAccount } from './register.ts'

export type Erasing = {
  readonly store: Pick<EventStore, 'read' | 'append'>
  readonly credentials: Pick<Credentials, 'forget'>
  readonly sessions: Pick<Sessions, 'endAllOf'>
  /** The ids of the datastores that are not deleted. */
  readonly datastoresOf: (organisationId: string) => Promise<readonly string[]>
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
 * Erases an organisation: closes its account for ever, ends whatever acts for it, and destroys its key, so that its
 * personal data cannot be read any more wherever it lies. Nothing is taken out of the log, so proofs go on to verify.
 * Each part may be done again: an erasure that was cut off is finished by another one.
 *
 * @param actor who erases it
 * @throws Refused `organisation-in-use` while it has datastores; `account-not-found`
 */
export const eraseOrganisation = async (erasing: Erasing, organisationId: string, actor: Actor): Promise<void> => {
  const { store, credentials, sessions, datastoresOf, settled, endings, destroyKey, now } = erasing
  const before = await datastoresOf(organisationId)
  if (before.length > 0) throw inUse(before)
  const command = { type: 'EraseOrganisation', data: { accountId: organisationId, now: now() } } as const
  const outcome = await sendToAccount({ store })(command, causeBy(actor, organisationId))
  if ('rejection' in outcome) throw new Refused(outcome.rejection)
  await settled(outcome.position)
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
