import {
  CLASS, RCODE, TYPE, canonical, decodeAddress, decodeText, type Message, type ResourceRecord,
} from '../../dns/wire.ts'
import { recordsAt } from './answer.ts'
import type { Entry, Zone } from './zone.ts'

/** What an update comes to: the names that change, or why it cannot be (RFC 2136, 3.1 to 3.4). */
export type Outcome = { readonly rcode: number; readonly changes: readonly Entry[] }

const refused = (rcode: number): Outcome => ({ rcode, changes: [] })

/** The types that are kept here. */
const KEPT: readonly number[] = [TYPE.A, TYPE.TXT]

const isDataOf = (type: number, data: Buffer): boolean => {
  if (type === TYPE.A) return data.length === 4
  try {
    decodeText(data)
    return true
  } catch {
    return false
  }
}

/** A removal may name any type, for there is nothing else to remove. */
const faultOf = (zone: Zone, { name, type, class: class_, ttlSeconds, data }: ResourceRecord): number | undefined => {
  if (!zone.contains(canonical(name))) return RCODE.NOTZONE
  switch (class_) {
    case CLASS.IN:
      if (!KEPT.includes(type)) return RCODE.REFUSED
      return isDataOf(type, data) && ttlSeconds < 2 ** 31 ? undefined : RCODE.FORMERR
    case CLASS.ANY:
      return ttlSeconds === 0 && data.length === 0 ? undefined : RCODE.FORMERR
    case CLASS.NONE:
      return ttlSeconds === 0 && (!KEPT.includes(type) || isDataOf(type, data)) ? undefined : RCODE.FORMERR
    default:
      return RCODE.FORMERR
  }
}

/** All records of a set have one time to live (RFC 2181, 5.2): the last one given. */
const changed = (entry: Entry, { type, class: class_, ttlSeconds, data }: ResourceRecord): Entry => {
  const { texts, ...rest } = entry
  if (class_ === CLASS.ANY) {
    const addresses = type === TYPE.A || type === TYPE.ANY ? [] : entry.addresses
    return texts === undefined || type === TYPE.TXT || type === TYPE.ANY ? { ...rest, addresses } : { ...entry, addresses }
  }
  const isAdded = class_ === CLASS.IN
  if (type === TYPE.A) {
    const address = decodeAddress(data)
    const others = entry.addresses.filter((one) => one !== address)
    return isAdded ? { ...entry, ttlSeconds, addresses: [...others, address] } : { ...entry, addresses: others }
  }
  if (type !== TYPE.TXT) return entry
  const text = data.toString('base64')
  const others = (texts?.data ?? []).filter((one) => one !== text)
  if (isAdded) return { ...rest, texts: { ttlSeconds, data: [...others, text] } }
  return texts === undefined || others.length === 0 ? rest : { ...rest, texts: { ...texts, data: others } }
}

const bytesOf = (records: readonly ResourceRecord[]): string =>
  records.map(({ data }) => data.toString('base64')).toSorted().join()

/** Which prerequisite does not hold, or is none (RFC 2136, 3.2); undefined: the update may be made. */
const unmet = (zone: Zone, prerequisites: readonly ResourceRecord[]): number | undefined => {
  const sets = Map.groupBy(prerequisites, ({ name, type, class: class_ }) => `${canonical(name)} ${type} ${class_}`)
  for (const set of sets.values()) {
    const [first] = set
    if (first === undefined) continue
    const { name, type, class: class_ } = first
    if (!zone.contains(canonical(name))) return RCODE.NOTZONE
    const isBare = set.every(({ data }) => data.length === 0)
    if (set.some(({ ttlSeconds }) => ttlSeconds !== 0)) return RCODE.FORMERR
    const there = recordsAt(zone, { name, type })
    if (class_ === CLASS.IN) {
      if (type === TYPE.ANY) return RCODE.FORMERR
      if (bytesOf(there) !== bytesOf(set)) return RCODE.NXRRSET
    } else if ((class_ !== CLASS.ANY && class_ !== CLASS.NONE) || !isBare) {
      return RCODE.FORMERR
    } else if (class_ === CLASS.ANY && there.length === 0) {
      return type === TYPE.ANY ? RCODE.NXDOMAIN : RCODE.NXRRSET
    } else if (class_ === CLASS.NONE && there.length > 0) {
      return type === TYPE.ANY ? RCODE.YXDOMAIN : RCODE.YXRRSET
    }
  }
  return undefined
}

/** Decides what an update does to the zone; changes nothing itself. */
export const decideUpdate = (zone: Zone, { questions, answers, authorities }: Message): Outcome => {
  const [question, ...more] = questions
  if (question === undefined || more.length > 0 || question.type !== TYPE.SOA) return refused(RCODE.FORMERR)
  if (canonical(question.name) !== zone.name || question.class !== CLASS.IN) return refused(RCODE.NOTAUTH)
  const missing = unmet(zone, answers)
  if (missing !== undefined) return refused(missing)
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
