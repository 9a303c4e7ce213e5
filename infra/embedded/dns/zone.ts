import {
  CLASS,
  TYPE,
  canonical,
  encodeAddress,
  encodeAuthority,
  encodeName,
  type ResourceRecord,
} from '../../dns/wire.ts'

/** What is kept of one name: its addresses, and its texts; with neither, the name is not there. */
export type Entry = {
  readonly name: string
  readonly ttlSeconds: number
  readonly addresses: readonly string[]
  /** The data of TXT records, in base64. */
  readonly texts?: { readonly ttlSeconds: number; readonly data: readonly string[] }
}

/** A zone as it is at the moment. Names are in canonical form. */
export type Zone = {
  readonly name: string
  readonly serial: () => number
  readonly entry: (name: string) => Entry | undefined
  readonly entries: () => Iterable<Entry>
  /** Whether the name is there, itself or through a name below it (an empty non-terminal, RFC 8020). */
  readonly exists: (name: string) => boolean
  readonly contains: (name: string) => boolean
  readonly apply: (serial: number, changes: readonly Entry[]) => void
  /** What the zone says of itself. */
  readonly authority: () => ResourceRecord
  readonly nameServer: () => ResourceRecord
}

const OWN_TTL_SECONDS = 60
/** How long the absence of a name may be remembered: short, for most names are asked for soon after they are made. */
export const NEGATIVE_TTL_SECONDS = 5

export const addressRecords = (name: string, { ttlSeconds, addresses }: Entry): readonly ResourceRecord[] =>
  addresses.map((address) => ({ name, type: TYPE.A, class: CLASS.IN, ttlSeconds, data: encodeAddress(address) }))

export const textRecords = (name: string, { texts }: Entry): readonly ResourceRecord[] =>
  (texts?.data ?? []).map((data) => ({
    name, type: TYPE.TXT, class: CLASS.IN, ttlSeconds: texts?.ttlSeconds ?? 0, data: Buffer.from(data, 'base64'),
  }))

/**
 * An empty zone.
 *
 * @param apex the zone's name
 * @param address where its name server, `ns.<zone>`, answers
 */
export const emptyZone = (apex: string, address: string): Zone => {
  const name = canonical(apex)
  const server = `ns.${name}`
  const own: Entry = { name: server, ttlSeconds: OWN_TTL_SECONDS, addresses: [address] }
  const entries = new Map<string, Entry>()
  /** How many names lie below each name. */
  const below = new Map<string, number>()
  let serial = 0

  const contains = (other: string): boolean => other === name || other.endsWith(`.${name}`)

  const count = (child: string, by: 1 | -1): void => {
    for (let parent = child; parent !== name; ) {
      parent = parent.slice(parent.indexOf('.') + 1)
      below.set(parent, (below.get(parent) ?? 0) + by)
      if (below.get(parent) === 0) below.delete(parent)
    }
  }

  const set = (entry: Entry): void => {
    const was = entries.has(entry.name)
    const isThere = entry.addresses.length > 0 || (entry.texts?.data.length ?? 0) > 0
    if (isThere) entries.set(entry.name, entry)
    else entries.delete(entry.name)
    if (was !== entries.has(entry.name)) count(entry.name, was ? -1 : 1)
  }
  set(own)

  return {
    name,
    contains,
    serial: () => serial,
    entry: (of) => entries.get(of),
    entries: () => entries.values(),
    exists: (of) => of === name || entries.has(of) || below.has(of),
    apply(next, changes) {
      serial = next
      // The zone's own name server stays, whatever anyone says of it.
      for (const change of changes) if (change.name !== server) set(change)
    },
    authority: () => ({
      name,
      type: TYPE.SOA,
      class: CLASS.IN,
      ttlSeconds: NEGATIVE_TTL_SECONDS,
      data: encodeAuthority({
        server,
        mailbox: `hostmaster.${name}`,
        serial,
        timesSeconds: [3600, 600, 86_400, NEGATIVE_TTL_SECONDS],
      }),
    }),
    nameServer: () => ({
      name,
      type: TYPE.NS,
      class: CLASS.IN,
      ttlSeconds: OWN_TTL_SECONDS,
      data: encodeName(server),
    }),
  }
}
