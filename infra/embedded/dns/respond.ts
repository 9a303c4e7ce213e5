import { TSIG_ERROR, refuse, sign, verify, type TsigKey, type Verdict } from '../../dns/tsig.ts'
import {
  HEADER_BYTES,
  MalformedMessage,
  OPCODE,
  RCODE,
  TYPE,
  decodeMessage,
  encodeMessage,
  type Decoded,
  type Message,
  type ResourceRecord,
} from '../../dns/wire.ts'
import { answer, bare, transfer } from './answer.ts'
import type { Outcome } from './update.ts'
import type { Zone } from './zone.ts'

export type Transport = 'udp' | 'tcp'

export type Responder = {
  readonly zone: Zone
  readonly key: TsigKey
  /** Decides an update and carries it out durably. */
  readonly update: (request: Message) => Promise<Outcome>
}

/** What fits through nearly every network in one piece (https://www.dnsflagday.net/2020/). */
const UDP_BYTES_MAX = 1232
const UDP_BYTES_CLASSIC = 512

const seconds = (): number => Math.floor(Date.now() / 1000)

const malformed = (bytes: Buffer): readonly Buffer[] => {
  if (bytes.length < HEADER_BYTES || (bytes.readUInt8(2) & 0x80) !== 0) return []
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16BE(bytes.readUInt16BE(0), 0)
  header.writeUInt16BE(0x8000 | (bytes.readUInt16BE(2) & 0x7800) | RCODE.FORMERR, 2)
  return [header]
}

const answers = async (
  { zone, update }: Responder,
  request: Message,
  { trusted, transport }: { readonly trusted: boolean; readonly transport: Transport },
): Promise<readonly Message[]> => {
  if (request.opcode === OPCODE.UPDATE) {
    return [bare(request, trusted ? (await update(request)).rcode : RCODE.NOTAUTH)]
  }
  if (request.opcode !== OPCODE.QUERY) return [bare(request, RCODE.NOTIMP)]
  switch (request.questions[0]?.type) {
    case TYPE.AXFR:
      if (transport === 'udp') return [bare(request, RCODE.REFUSED)]
      return trusted ? transfer(zone, request) : [bare(request, RCODE.NOTAUTH)]
    case TYPE.IXFR:
      return [bare(request, RCODE.NOTIMP)]
    default:
      return [answer(zone, request)]
  }
}

/** EDNS (RFC 6891): who speaks it is told that we do, too; any other version than 0 is not spoken here. */
const extended = (request: Message, reply: Message): Message => {
  const asked = request.additionals.find(({ type }) => type === TYPE.OPT)
  if (asked === undefined) return reply
  const version = (asked.ttlSeconds >>> 16) & 0xff
  const badVersion = version === 0 ? 0 : 1 << 24
  const own: ResourceRecord = {
    name: '',
    type: TYPE.OPT,
    class: UDP_BYTES_MAX,
    ttlSeconds: badVersion,
    data: Buffer.alloc(0),
  }
  return version === 0 ? { ...reply, additionals: [own] } : { ...bare(request, RCODE.NOERROR), additionals: [own] }
}

const limitOf = (request: Message, transport: Transport): number => {
  if (transport === 'tcp') return Number.POSITIVE_INFINITY
  const offered = request.additionals.find(({ type }) => type === TYPE.OPT)?.class ?? UDP_BYTES_CLASSIC
  return Math.min(UDP_BYTES_MAX, Math.max(UDP_BYTES_CLASSIC, offered))
}

const encoded = (request: Message, reply: Message, limit: number): Buffer => {
  const whole = encodeMessage(extended(request, reply))
  if (whole.length <= limit) return whole
  return encodeMessage(extended(request, { ...reply, truncated: true, answers: [], authorities: [] }))
}

const distrusted = (request: Decoded, key: TsigKey, verdict: Verdict & { readonly trusted: false }): Buffer => {
  const reply = encodeMessage(bare(request, RCODE.NOTAUTH))
  // Only whoever knows the key is told the time, and can believe it.
  return verdict.error === TSIG_ERROR.BADTIME && verdict.mac !== undefined
    ? sign(reply, key, seconds(), { priorMac: verdict.mac, error: verdict.error }).signed
    : refuse(reply, verdict.keyName ?? key.name, seconds(), verdict.error)
}

/**
 * Answers one message.
 *
 * @returns the messages to send back, in order; none when it deserves no answer
 */
export const respond = async (
  responder: Responder,
  bytes: Buffer,
  transport: Transport,
): Promise<readonly Buffer[]> => {
  let request: Decoded
  try {
    request = decodeMessage(bytes)
  } catch (error) {
    if (error instanceof MalformedMessage) return malformed(bytes)
    throw error
  }
  if (request.response) return []
  const { key } = responder
  const signatures = request.additionals.filter(({ type }) => type === TYPE.TSIG).length
  if (signatures === 0) {
    const replies = await answers(responder, request, { trusted: false, transport })
    return replies.map((reply) => encoded(request, reply, limitOf(request, transport)))
  }
  if (signatures > 1 || request.additionals.at(-1)?.type !== TYPE.TSIG) return malformed(bytes)
  const verdict = verify(bytes, request, key, seconds())
  if (!verdict.trusted) return [distrusted(request, key, verdict)]
  let priorMac = verdict.mac
  const replies = await answers(responder, request, { trusted: true, transport })
  return replies.map((reply, i) => {
    const plain = encoded(request, reply, limitOf(request, transport))
    const { signed, mac } = sign(plain, key, seconds(), { priorMac, timersOnly: i > 0 })
    priorMac = mac
    return signed
  })
}
