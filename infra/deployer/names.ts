import type { OrderResult, PlacedOrder } from '../../domain/job/orders.ts'
import type { Claim, Spoken } from '../dns/dns.ts'
import { Failure } from '../messaging/worker.ts'
import type { Body, Means, Work } from './context.ts'

const inDns = async ({ signal }: Work, what: string, act: () => Promise<Spoken>): Promise<Spoken> => {
  signal.throwIfAborted()
  try {
    return await act()
  } catch (cause) {
    throw new Failure(`The DNS server could not be made to ${what}.`, { final: false, cause })
  }
}

type About = { readonly datastoreId: string; readonly epoch?: number }

/** Where it is kept who spoke last of a datastore's own names; undefined: the name is of no datastore. */
const decidedIn = (name: string, datastoreId: string): string | undefined => {
  const at = `.${name}`.indexOf(`.${datastoreId}.`)
  return at < 0 ? undefined : `_decided.${name.slice(at)}`
}

/**
 * By what an order about the names of a datastore is held against others. A job that unwinds has the last word over itself:
 * what it ordered before then, and comes late, does nothing.
 */
const claimOf = (
  { datastoreId, epoch }: About,
  [first = '']: readonly string[],
  { course }: Pick<PlacedOrder, 'course'>,
): Claim | undefined => {
  const name = decidedIn(first, datastoreId)
  return epoch === undefined || name === undefined ? undefined : { name, rank: 2 * epoch + (course === 'back' ? 1 : 0) }
}

const outranked = 'the names stay where they lead, for a newer decision goes before'

export const publishNames = async (
  { dns }: Means,
  { names, ...about }: Body<'infra.publish-names'>,
  work: Work,
  place: Pick<PlacedOrder, 'course'>,
): Promise<OrderResult> => {
  const claim = claimOf(about, names.map(({ name }) => name), place)
  const spoken = await inDns(work, 'publish the names', () => dns.publish(names, claim))
  if (spoken === 'outranked') work.note(outranked)
  else for (const { name, addresses } of names) work.note(`${name} answers with ${addresses.join(', ')}`)
  return {}
}

export const withdrawNames = async (
  { dns }: Means,
  { names, ...about }: Body<'infra.withdraw-names'>,
  work: Work,
  place: Pick<PlacedOrder, 'course'>,
): Promise<OrderResult> => {
  const { datastoreId } = about
  const claim = claimOf(about, names, place)
  // Whose own name goes for good has nobody left who could speak of it.
  const kept = claim === undefined ? names.filter((name) => name.startsWith(`${datastoreId}.`)) : []
  const gone = [...names, ...kept.flatMap((name) => decidedIn(name, datastoreId) ?? [])]
  const spoken = await inDns(work, 'withdraw the names', () => dns.withdraw(gone, claim))
  if (spoken === 'outranked') work.note(outranked)
  else for (const name of names) work.note(`${name} is withdrawn`)
  return {}
}
