import { randomInt } from 'node:crypto'
import type { Dns, NameRecord } from './dns.ts'
import { exchange } from './exchange.ts'
import { sign, verify, type TsigKey } from './tsig.ts'
import {
  CLASS,
  MalformedMessage,
  OPCODE,
  RCODE,
  TYPE,
  canonical,
  decodeAddress,
  decodeMessage,
  encodeAddress,
  encodeMessage,
  type Decoded,
  type Message,
  type Question,
  type ResourceRecord,
} from './wire.ts'

export type Rfc2136Options = {
  readonly host: string
  readonly port: number
  /** The zone that holds all names, without the final dot. */
  readonly zone: string
  readonly key: TsigKey
  /** How long the server may be silent; default 5,000. */
  readonly timeoutMs?: number
  /** How long a change may take until the server answers with it; default 10,000. */
  readonly visibleWithinMs?: number
}

/** The server answered, and did not do it; or its answer cannot be believed. */
export class DnsFailed extends Error {
  override readonly name = 'DnsFailed'
}

/** One message holds no more changes than this, so that it stays well below what TCP can carry. */
const NAMES_PER_UPDATE_MAX = 50
const NOTHING = Buffer.alloc(0)

const rcodeName = (rcode: number): string =>
  Object.entries(RCODE).find(([, code]) => code === rcode)?.[0] ?? `code ${rcode}`

const asking = (question: Question, rest: Partial<Message> = {}): Message => ({
  id: randomInt(65_536),
  response: false,
  opcode: OPCODE.QUERY,
  authoritative: false,
  truncated: false,
  recursionDesired: false,
  rcode: RCODE.NOERROR,
  questions: [question],
  answers: [],
  authorities: [],
  additionals: [],
  ...rest,
})

const seconds = (): number => Math.floor(Date.now() / 1000)

/** RFC 2136, 2.5.2: takes all addresses of the name away. */
const removal = (name: string): ResourceRecord =>
  ({ name, type: TYPE.A, class: CLASS.ANY, ttlSeconds: 0, data: NOTHING })

const addresses = ({ name, addresses: all, ttlSeconds }: NameRecord): readonly ResourceRecord[] =>
  all.map((address) => ({ name, type: TYPE.A, class: CLASS.IN, ttlSeconds, data: encodeAddress(address) }))

const inParts = <T>(items: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(items.length / NAMES_PER_UPDATE_MAX) }, (_, i) =>
    items.slice(i * NAMES_PER_UPDATE_MAX, (i + 1) * NAMES_PER_UPDATE_MAX),
  )

const check = (answer: Decoded, request: Message): void => {
  if (answer.id !== request.id || !answer.response) throw new DnsFailed('the answer belongs to another question')
  if (answer.rcode !== RCODE.NOERROR) throw new DnsFailed(`the DNS server answered ${rcodeName(answer.rcode)}`)
}

/** Sends a signed request. Every message of the answer must be signed too, each after the last (RFC 8945, 5.3.1). */
const signedExchange = async (
  options: Required<Rfc2136Options>,
  request: Message,
  take: (answer: Decoded) => 'more' | 'done',
): Promise<void> => {
  const { signed, mac } = sign(encodeMessage(request), options.key, seconds())
  let priorMac = mac
  let timersOnly = false
  await exchange(options, signed, (bytes) => {
    const answer = decodeMessage(bytes)
    // An unsigned refusal can be read but not believed: it ends this attempt, and nothing else.
    check(answer, request)
    const verdict = verify(bytes, answer, options.key, seconds(), { priorMac, timersOnly })
    if (!verdict.trusted) throw new DnsFailed('the answer of the DNS server is not signed as it must be')
    priorMac = verdict.mac
    timersOnly = true
    return take(answer)
  })
}

const update = async (
  options: Required<Rfc2136Options>,
  changes: () => readonly ResourceRecord[],
): Promise<void> => {
  const zone = { name: options.zone, type: TYPE.SOA, class: CLASS.IN }
  try {
    const request = asking(zone, { opcode: OPCODE.UPDATE, authorities: changes() })
    await signedExchange(options, request, () => 'done')
  } catch (cause) {
    if (cause instanceof DnsFailed) throw cause
    if (cause instanceof MalformedMessage) throw new DnsFailed('a name or an address is none', { cause })
    throw new DnsFailed('the DNS server could not be updated', { cause })
  }
}

/** What an asker is told, in order; nothing when there is no such name. */
const lookUp = async (options: Required<Rfc2136Options>, name: string): Promise<readonly string[]> => {
  const request = asking({ name, type: TYPE.A, class: CLASS.IN })
  let found: readonly string[] = []
  await exchange(options, encodeMessage(request), (bytes) => {
    const answer = decodeMessage(bytes)
    if (answer.rcode !== RCODE.NXDOMAIN) check(answer, request)
    found = answer.answers.filter(({ type }) => type === TYPE.A).map(({ data }) => decodeAddress(data)).toSorted()
    return 'done'
  })
  return found
}

const visible = async (options: Required<Rfc2136Options>, name: string, wanted: readonly string[]): Promise<void> => {
  const expected = [...new Set(wanted)].toSorted().join()
  const deadline = performance.now() + options.visibleWithinMs
  for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 200)) {
    const actual = await lookUp(options, name).catch((cause: unknown) => {
      throw new DnsFailed('the DNS server could not be asked', { cause })
    })
    if (actual.join() === expected) return
    if (performance.now() > deadline) throw new DnsFailed('the DNS server took a change and does not answer with it')
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

const transfer = async (options: Required<Rfc2136Options>): Promise<readonly ResourceRecord[]> => {
  const records: ResourceRecord[] = []
  let authorities = 0
  try {
    await signedExchange(options, asking({ name: options.zone, type: TYPE.AXFR, class: CLASS.IN }), ({ answers }) => {
      records.push(...answers)
      authorities += answers.filter(({ type }) => type === TYPE.SOA).length
      // A transfer begins and ends with the zone's SOA record (RFC 5936, 2.2).
      return authorities >= 2 ? 'done' : 'more'
    })
  } catch (cause) {
    if (cause instanceof DnsFailed) throw cause
    throw new DnsFailed('the zone could not be listed', { cause })
  }
  return records
}

const grouped = (records: readonly ResourceRecord[]): readonly NameRecord[] => {
  const names = new Map<string, { ttlSeconds: number; addresses: string[] }>()
  for (const { name, ttlSeconds, data } of records) {
    const entry = names.get(canonical(name)) ?? { ttlSeconds, addresses: [] }
    entry.addresses.push(decodeAddress(data))
    names.set(canonical(name), entry)
  }
  return [...names].map(([name, entry]) => ({ name, ...entry, addresses: entry.addresses.toSorted() }))
}

/**
 * Names in a zone of any server that takes RFC 2136 updates and AXFR signed with TSIG (hmac-sha256), our own
 * embedded one among them. Everything goes over TCP.
 */
export const rfc2136 = (given: Rfc2136Options): Dns => {
  const options = { timeoutMs: 5_000, visibleWithinMs: 10_000, ...given, zone: canonical(given.zone) }

  const inZone = (name: string): string => {
    const own = canonical(name)
    if (!own.endsWith(`.${options.zone}`)) throw new DnsFailed(`the name ${own} is not in the zone ${options.zone}`)
    return own
  }

  return {
    async publish(records) {
      const named = records.map((record) => ({ ...record, name: inZone(record.name) }))
      if (named.some(({ addresses: all }) => all.length === 0)) throw new DnsFailed('a name must have an address')
      for (const part of inParts(named)) {
        await update(options, () => part.flatMap((record) => [removal(record.name), ...addresses(record)]))
        await Promise.all(part.map(({ name, addresses: all }) => visible(options, name, all)))
      }
    },

    async withdraw(names) {
      for (const part of inParts(names.map(inZone))) {
        await update(options, () => part.map(removal))
        await Promise.all(part.map((name) => visible(options, name, [])))
      }
    },

    async list(suffix) {
      const wanted = canonical(suffix)
      const records = (await transfer(options)).filter(({ type }) => type === TYPE.A)
      return grouped(records).filter(({ name }) => name === wanted || name.endsWith(`.${wanted}`))
    },
  }
}
