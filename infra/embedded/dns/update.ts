import { CLASS, RCODE, TYPE, canonical, decodeAddress, type Message, type ResourceRecord } from '../../dns/wire.ts'
import type { Entry, Zone } from './zone.ts'

/** What an update comes to: the names that change, or why it cannot be (RFC 2136, 3.1 to 3.4). */
export type Outcome = { readonly rcode: number; readonly changes: readonly Entry[] }

const refused = (rcode: number): Outcome => ({ rcode, changes: [] })

/** Only addresses are kept here; a removal may name any type, for there is nothing else to remove. */
const faultOf = (zone: Zone, { name, type, class: class_, ttlSeconds, data }: ResourceRecord): number | undefined => {
  if (!zone.contains(canonical(name))) return RCODE.NOTZONE
  switch (class_) {
    case CLASS.IN:
      if (type !== TYPE.A) return RCODE.REFUSED
      return data.length === 4 && ttlSeconds < 2 ** 31 ? undefined : RCODE.FORMERR
    case CLASS.ANY:
      return ttlSeconds === 0 && data.length === 0 ? undefined : RCODE.FORMERR
    case CLASS.NONE:
      return ttlSeconds === 0 && (type !== TYPE.A || data.length === 4) ? undefined : RCODE.FORMERR
    default:
      return RCODE.FORMERR
  }
}

const changed = (entry: Entry, { type, class: class_, ttlSeconds, data }: ResourceRecord): Entry => {
  if (class_ === CLASS.ANY) return type === TYPE.A || type === TYPE.ANY ? { ...entry, addresses: [] } : entry
  if (type !== TYPE.A) return entry
  const address = decodeAddress(data)
  const others = entry.addresses.filter((one) => one !== address)
  if (class_ === CLASS.NONE) return { ...entry, addresses: others }
  // All records of a set have one time to live (RFC 2181, 5.2): the last one given.
  return { ...entry, ttlSeconds, addresses: [...others, address] }
}

/**
 * Decides what an update does to the zone; changes nothing itself. One with prerequisites is answered NOTIMP (RFC 2136,
 * 2.2): our own adapter sends none.
 */
export const decideUpdate = (zone: Zone, { questions, answers, authorities }: Message): Outcome => {
  const [question, ...more] = questions
  if (question === undefined || more.length > 0 || question.type !== TYPE.SOA) return refused(RCODE.FORMERR)
  if (canonical(question.name) !== zone.name || question.class !== CLASS.IN) return refused(RCODE.NOTAUTH)
  if (answers.length > 0) return refused(RCODE.NOTIMP)
  const fault = authorities.map((record) => faultOf(zone, record)).find((rcode) => rcode !== undefined)
  if (fault !== undefined) return refused(fault)
  const changes = new Map<string, Entry>()
  for (const record of authorities) {
    const name = canonical(record.name)
    const before = changes.get(name) ?? zone.entry(name) ?? { name, ttlSeconds: 0, addresses: [] }
    changes.set(name, changed(before, record))
  }
  return { rcode: RCODE.NOERROR, changes: [...changes.values()] }
}
