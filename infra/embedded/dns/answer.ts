import { CLASS, RCODE, TYPE, canonical, type Message, type Question, type ResourceRecord } from '../../dns/wire.ts'
import { addressRecords, textRecords, type Zone } from './zone.ts'

const RECORDS_PER_MESSAGE = 200

/** An answer with nothing in it but the question and a code. */
export const bare = (request: Message, rcode: number): Message => ({
  ...request,
  response: true,
  authoritative: false,
  truncated: false,
  rcode,
  answers: [],
  authorities: [],
  additionals: [],
})

/** What the zone has of a name, of one type or of all. */
export const recordsAt = (zone: Zone, { name, type }: Pick<Question, 'name' | 'type'>): readonly ResourceRecord[] => {
  const own = canonical(name)
  const entry = zone.entry(own)
  const wants = (one: number): boolean => type === one || type === TYPE.ANY
  return [
    ...(own === zone.name && wants(TYPE.SOA) ? [{ ...zone.authority(), name }] : []),
    ...(own === zone.name && wants(TYPE.NS) ? [{ ...zone.nameServer(), name }] : []),
    // The owner's name is given back as it was asked, case and all: some resolvers check that.
    ...(entry !== undefined && wants(TYPE.A) ? addressRecords(name, entry) : []),
    ...(entry !== undefined && wants(TYPE.TXT) ? textRecords(name, entry) : []),
  ]
}

/** Answers a query out of the zone (RFC 1034, 4.3.2; RFC 2308 for what is not there). */
export const answer = (zone: Zone, request: Message): Message => {
  const [question, ...more] = request.questions
  if (question === undefined || more.length > 0) return bare(request, RCODE.FORMERR)
  const name = canonical(question.name)
  if (question.class !== CLASS.IN || !zone.contains(name)) return bare(request, RCODE.REFUSED)
  const answers = recordsAt(zone, question)
  return {
    ...bare(request, zone.exists(name) ? RCODE.NOERROR : RCODE.NXDOMAIN),
    authoritative: true,
    answers,
    authorities: answers.length === 0 ? [zone.authority()] : [],
  }
}

/** The whole zone, in as many messages as it takes (RFC 5936). */
export const transfer = (zone: Zone, request: Message): readonly Message[] => {
  const [question] = request.questions
  if (question === undefined || canonical(question.name) !== zone.name) return [bare(request, RCODE.NOTAUTH)]
  const inside = [...zone.entries()].flatMap((entry) => [...addressRecords(entry.name, entry), ...textRecords(entry.name, entry)])
  const records = [zone.authority(), zone.nameServer(), ...inside, zone.authority()]
  return Array.from({ length: Math.ceil(records.length / RECORDS_PER_MESSAGE) }, (_, i) => ({
    ...bare(request, RCODE.NOERROR),
    authoritative: true,
    answers: records.slice(i * RECORDS_PER_MESSAGE, (i + 1) * RECORDS_PER_MESSAGE),
  }))
}
