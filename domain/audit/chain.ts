import { canonicalJson } from '../kernel/canonical-json.ts'
import { type Recorded, positionText } from '../kernel/event-store.ts'

/** SHA-256 of the parts, one after the other; texts as UTF-8. */
export type Sha256 = (...parts: readonly (Uint8Array | string)[]) => Uint8Array

/** The chain of what is no tenant's. */
export const INSTALLATION = 'installation'

const LEAF = Uint8Array.of(0)

/**
 * The hash that a chain begins with, so that no chain can be passed off as another organisation's.
 *
 * @param organisationId whose chain
 */
export const chainStart = (sha256: Sha256, organisationId: string): Uint8Array =>
  sha256(`ccx audit chain v1\n${organisationId}\n`)

/** What a chain comes to with one more leaf. */
export const chained = (sha256: Sha256, before: Uint8Array, leaf: Uint8Array): Uint8Array => sha256(before, leaf)

/**
 * The hash of a leaf (RFC 9162, section 2.1.1).
 *
 * @param text the entry's canonical JSON
 */
export const leafHash = (sha256: Sha256, text: string): Uint8Array => sha256(LEAF, text)

/** An event as the log holds it, whatever is made of it later. */
const held = ({ written, type, data }: Pick<Recorded, 'written' | 'type' | 'data'>) => written ?? { type, data }

/**
 * The text of an entry that its leaf is the hash of.
 *
 * @param place the entry's organisation, and its place in the chain, from 0
 */
export const entryText = (
  event: Recorded,
  { organisation, n }: { readonly organisation: string; readonly n: number },
): string =>
  canonicalJson({
    organisation,
    n,
    position: positionText(event.position),
    id: event.id,
    stream: event.stream,
    revision: Number(event.revision),
    ...held(event),
    at: event.recordedAt,
    metadata: event.metadata,
  })

const member = (value: unknown, ...path: readonly string[]): unknown => {
  const [name, ...rest] = path
  if (name === undefined) return value
  if (value === null || typeof value !== 'object') return undefined
  return member(Object.entries(value).find(([key]) => key === name)?.[1], ...rest)
}

/** Where events that do not say whose they are, being older than that, hold their owner. */
const OWNERS: readonly (readonly string[])[] = [['spec', 'ownerId'], ['input', 'spec', 'ownerId'], ['ownerId'], ['accountId']]

const ID = /^[\x21-\x7e]{1,255}$/

/** In whose trail an event belongs. */
export const organisationOf = (event: Recorded): string => {
  const { metadata } = event
  const { data } = held(event)
  const named = [metadata.organisationId, ...OWNERS.map((path) => member(data, ...path))]
  return named.find((id): id is string => typeof id === 'string' && ID.test(id)) ?? INSTALLATION
}

/** What a stream is about: its name up to the first dash, and the rest. */
export const objectOf = (stream: string): { readonly kind: string; readonly id: string } => {
  const dash = stream.indexOf('-')
  return dash === -1 ? { kind: stream, id: '' } : { kind: stream.slice(0, dash), id: stream.slice(dash + 1) }
}

/** The datastore that an event concerns, if it concerns one. */
export const datastoreOf = (event: Recorded): string | undefined => {
  const named = member(held(event).data, 'datastoreId')
  if (typeof named === 'string') return named
  const { kind, id } = objectOf(event.stream)
  return kind === 'datastore' ? id : undefined
}
