/** DNS messages as bytes (RFC 1035, section 4): as much of them as queries, updates, transfers and signatures need. */

export const TYPE = { A: 1, NS: 2, SOA: 6, TXT: 16, OPT: 41, TSIG: 250, IXFR: 251, AXFR: 252, ANY: 255 } as const
export const CLASS = { IN: 1, NONE: 254, ANY: 255 } as const
export const OPCODE = { QUERY: 0, UPDATE: 5 } as const
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
} as const

export type Question = { readonly name: string; readonly type: number; readonly class: number }
export type ResourceRecord = Question & { readonly ttlSeconds: number; readonly data: Buffer }

export type Message = {
  readonly id: number
  readonly response: boolean
  readonly opcode: number
  readonly authoritative: boolean
  readonly truncated: boolean
  readonly recursionDesired: boolean
  readonly rcode: number
  readonly questions: readonly Question[]
  readonly answers: readonly ResourceRecord[]
  readonly authorities: readonly ResourceRecord[]
  readonly additionals: readonly ResourceRecord[]
}

/** Bytes that are no DNS message. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage'
}

export const HEADER_BYTES = 12
const LABEL_BYTES_MAX = 63
const NAME_BYTES_MAX = 255

const u16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** Names are compared in this form: lower case, without the final dot. */
export const canonical = (name: string): string => name.toLowerCase().replace(/\.$/, '')

/**
 * A name, uncompressed. Case is kept.
 *
 * @throws MalformedMessage when it is no name: an empty or too long label, more than 255 bytes
 */
export const encodeName = (name: string): Buffer => {
  const bare = name.replace(/\.$/, '')
  const labels = bare === '' ? [] : bare.split('.').map((label) => Buffer.from(label, 'latin1'))
  const isLabel = ({ length }: Buffer): boolean => length > 0 && length <= LABEL_BYTES_MAX
  if (!labels.every(isLabel)) throw new MalformedMessage('not a domain name')
  const bytes = Buffer.concat([...labels.flatMap((label) => [Buffer.from([label.length]), label]), Buffer.from([0])])
  if (bytes.length > NAME_BYTES_MAX) throw new MalformedMessage('a domain name is too long')
  return bytes
}

const encodeQuestion = ({ name, type, class: class_ }: Question): Buffer =>
  Buffer.concat([encodeName(name), u16(type), u16(class_)])

/** A record, uncompressed. */
export const encodeRecord = (record: ResourceRecord): Buffer =>
  Buffer.concat([encodeQuestion(record), u32(record.ttlSeconds), u16(record.data.length), record.data])

const flagsOf = (message: Message): number =>
  (message.response ? 0x8000 : 0) |
  (message.opcode << 11) |
  (message.authoritative ? 0x0400 : 0) |
  (message.truncated ? 0x0200 : 0) |
  (message.recursionDesired ? 0x0100 : 0) |
  message.rcode

export const encodeMessage = (message: Message): Buffer => {
  const { questions, answers, authorities, additionals } = message
  const counts = [questions, answers, authorities, additionals].map(({ length }) => u16(length))
  const header = [u16(message.id), u16(flagsOf(message)), ...counts]
  const records = [...answers, ...authorities, ...additionals].map(encodeRecord)
  return Buffer.concat([...header, ...questions.map(encodeQuestion), ...records])
}

type Cursor = { readonly bytes: Buffer; at: number }

const take = (cursor: Cursor, length: number): Buffer => {
  const end = cursor.at + length
  if (end > cursor.bytes.length) throw new MalformedMessage('a message is cut short')
  const taken = cursor.bytes.subarray(cursor.at, end)
  cursor.at = end
  return taken
}

const takeName = (cursor: Cursor): string => {
  const labels: string[] = []
  let length = 1
  let reader = cursor
  for (;;) {
    const size = take(reader, 1).readUInt8()
    if (size === 0) return labels.join('.')
    if (size >= 0xc0) {
      const target = ((size & 0x3f) << 8) | take(reader, 1).readUInt8()
      // Strictly backward, so that a chain of pointers comes to an end.
      if (target >= reader.at - 2) throw new MalformedMessage('a name points forward')
      reader = { bytes: cursor.bytes, at: target }
      continue
    }
    if (size > LABEL_BYTES_MAX) throw new MalformedMessage('a label of a kind that nobody uses')
    length += size + 1
    if (length > NAME_BYTES_MAX) throw new MalformedMessage('a domain name is too long')
    const label = take(reader, size).toString('latin1')
    // A dot inside a label could be mistaken for the one between two.
    if (label.includes('.')) throw new MalformedMessage('a label holds a dot')
    labels.push(label)
  }
}

const takeQuestion = (cursor: Cursor): Question => ({
  name: takeName(cursor),
  type: take(cursor, 2).readUInt16BE(),
  class: take(cursor, 2).readUInt16BE(),
})

const takeRecord = (cursor: Cursor): ResourceRecord => ({
  ...takeQuestion(cursor),
  ttlSeconds: take(cursor, 4).readUInt32BE(),
  data: take(cursor, take(cursor, 2).readUInt16BE()),
})

export type Decoded = Message & {
  /** Where the last record of the message begins: a signature covers all before it. */
  readonly lastRecordAt: number
}

/** @throws MalformedMessage */
export const decodeMessage = (bytes: Buffer): Decoded => {
  const cursor: Cursor = { bytes, at: 0 }
  const header = take(cursor, HEADER_BYTES)
  const flags = header.readUInt16BE(2)
  let lastRecordAt = HEADER_BYTES
  const record = (): ResourceRecord => {
    lastRecordAt = cursor.at
    return takeRecord(cursor)
  }
  const many = <T>(offset: number, one: () => T): readonly T[] =>
    Array.from({ length: header.readUInt16BE(offset) }, one)
  const questions = many(4, () => takeQuestion(cursor))
  const answers = many(6, record)
  const authorities = many(8, record)
  const additionals = many(10, record)
  if (cursor.at !== bytes.length) throw new MalformedMessage('a message has a tail')
  return {
    id: header.readUInt16BE(0),
    response: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 0xf,
    authoritative: (flags & 0x0400) !== 0,
    truncated: (flags & 0x0200) !== 0,
    recursionDesired: (flags & 0x0100) !== 0,
    rcode: flags & 0xf,
    questions,
    answers,
    authorities,
    additionals,
    lastRecordAt,
  }
}

/** A name at the start of a record's data that holds no pointer, and where it ends. */
export const nameInData = (data: Buffer): { readonly name: string; readonly end: number } => {
  const cursor: Cursor = { bytes: data, at: 0 }
  return { name: takeName(cursor), end: cursor.at }
}

const IPV4 = /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/

/** The data of an A record. @throws MalformedMessage when the text is no IPv4 address */
export const encodeAddress = (address: string): Buffer => {
  if (!IPV4.test(address)) throw new MalformedMessage('not an IPv4 address')
  return Buffer.from(address.split('.').map(Number))
}

/** @throws MalformedMessage when the data is not that of an A record */
export const decodeAddress = (data: Buffer): string => {
  if (data.length !== 4) throw new MalformedMessage('not the data of an A record')
  return [...data].join('.')
}

const TEXT_BYTES_MAX = 255

/** The data of a TXT record of one string. @throws MalformedMessage when it is too long for one */
export const encodeText = (text: string): Buffer => {
  const bytes = Buffer.from(text)
  if (bytes.length > TEXT_BYTES_MAX) throw new MalformedMessage('a text is too long')
  return Buffer.concat([Buffer.from([bytes.length]), bytes])
}

/** The data of a TXT record, its strings put together. @throws MalformedMessage when the data is not that of one */
export const decodeText = (data: Buffer): string => {
  const cursor: Cursor = { bytes: data, at: 0 }
  const parts: Buffer[] = []
  do parts.push(take(cursor, take(cursor, 1).readUInt8()))
  while (cursor.at < data.length)
  return Buffer.concat(parts).toString()
}

/** The data of an SOA record (RFC 1035, 3.3.13); all times in seconds. */
export const encodeAuthority = (soa: {
  readonly server: string
  readonly mailbox: string
  readonly serial: number
  readonly timesSeconds: readonly [refresh: number, retry: number, expire: number, negative: number]
}): Buffer =>
  Buffer.concat([encodeName(soa.server), encodeName(soa.mailbox), u32(soa.serial), ...soa.timesSeconds.map(u32)])
