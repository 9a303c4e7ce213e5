import { randomInt } from 'node:crypto'
import type { Claim, Dns, NameRecord, Spoken } from './dns.ts'
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
  decodeText,
  encodeAddress,
  encodeMessage,
  encodeText,
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

/** What a change was to go by is not so any more. */
class Unmet extends Error {
  override readonly name = 'Unmet'
}

/** One message holds no more changes than this, so that it stays well below what TCP can carry. */
const NAMES_PER_UPDATE_MAX = 50
const NOTHING = Buffer.alloc(0)
/** How often a change is begun anew because another came in between. */
const ATTEMPTS_MAX = 20
const CLAIM_TTL_SECONDS = 5

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

/** RFC 2136, 2.5.2 and 2.5.3: takes all records of the name and the type away. */
const removal = (name: string, type: number): ResourceRecord =>
  ({ name, type, class: CLASS.ANY, ttlSeconds: 0, data: NOTHING })

const addresses = ({ name, addresses: all, ttlSeconds }: NameRecord): readonly ResourceRecord[] =>
  all.map((address) => ({ name, type: TYPE.A, class: CLASS.IN, ttlSeconds, data: encodeAddress(address) }))

const inParts = <T>(items: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(items.length / NAMES_PER_UPDATE_MAX) }, (_, i) =>
    items.slice(i * NAMES_PER_UPDATE_MAX, (i + 1) * NAMES_PER_UPDATE_MAX),
  )

const check = (answer: Decoded, request: Message): void => {
  if (answer.id !== request.id || !answer.response) throw new DnsFailed('the answer belongs to another question')
  if (answer.rcode === RCODE.NXRRSET || answer.rcode === RCODE.YXRRSET) throw new Unmet('a prerequisite does not hold')
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

type Changes = () => readonly ResourceRecord[]

const update = async (
  options: Required<Rfc2136Options>,
  changes: Changes,
  prerequisites: readonly ResourceRecord[] = [],
): Promise<'done' | 'unmet'> => {
  const zone = { name: options.zone, type: TYPE.SOA, class: CLASS.IN }
  try {
    const request = asking(zone, { opcode: OPCODE.UPDATE, answers: prerequisites, authorities: changes() })
    await signedExchange(options, request, () => 'done')
    return 'done'
  } catch (cause) {
    if (cause instanceof Unmet) return 'unmet'
    if (cause instanceof DnsFailed) throw cause
    if (cause instanceof MalformedMessage) throw new DnsFailed('a name or an address is none', { cause })
    throw new DnsFailed('the DNS server could not be updated', { cause })
  }
}

/** What an asker is told; nothing when there is no such name. */
const lookUp = async (options: Required<Rfc2136Options>, name: string, type: number): Promise<readonly Buffer[]> => {
  const request = asking({ name, type, class: CLASS.IN })
  let found: readonly Buffer[] = []
  try {
    await exchange(options, encodeMessage(request), (bytes) => {
      const answer = decodeMessage(bytes)
      if (answer.rcode !== RCODE.NXDOMAIN) check(answer, request)
      found = answer.answers.filter((one) => one.type === type).map(({ data }) => data)
      return 'done'
    })
  } catch (cause) {
    throw new DnsFailed('the DNS server could not be asked', { cause })
  }
  return found
}

const CLAIM = /^rank=(\d{1,15})$/

const rankIn = (data: Buffer): number | undefined => {
  try {
    const told = CLAIM.exec(decodeText(data))?.[1]
    return told === undefined ? undefined : Number(told)
  } catch {
    return undefined
  }
}

const highest = (texts: readonly Buffer[]): number | undefined =>
  texts.map(rankIn).filter((rank) => rank !== undefined).toSorted((a, b) => b - a)[0]

const isOutranked = async (options: Required<Rfc2136Options>, { name, rank }: Claim): Promise<boolean> =>
  (highest(await lookUp(options, name, TYPE.TXT)) ?? rank) > rank

/** RFC 2136, 2.4.2 and 2.4.3: the records of the name are still these, or there are still none. */
const unchanged = (name: string, texts: readonly Buffer[]): readonly ResourceRecord[] =>
  texts.length === 0
    ? [{ name, type: TYPE.TXT, class: CLASS.NONE, ttlSeconds: 0, data: NOTHING }]
    : texts.map((data) => ({ name, type: TYPE.TXT, class: CLASS.IN, ttlSeconds: 0, data }))

/**
 * Makes changes unless somebody of a higher rank has. The server itself makes them only if the highest rank still is what it was
 * when it was asked for: so one who stood still in between changes nothing, however late he goes on.
 */
const underClaim = async (options: Required<Rfc2136Options>, { name, rank }: Claim, changes: Changes): Promise<Spoken> => {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const texts = await lookUp(options, name, TYPE.TXT)
    const kept = highest(texts)
    if (kept !== undefined && kept > rank) return 'outranked'
    const claimed = (): readonly ResourceRecord[] =>
      kept === rank
        ? []
        : [
            removal(name, TYPE.TXT),
            { name, type: TYPE.TXT, class: CLASS.IN, ttlSeconds: CLAIM_TTL_SECONDS, data: encodeText(`rank=${rank}`) },
          ]
    if ((await update(options, () => [...changes(), ...claimed()], unchanged(name, texts))) === 'done') return 'done'
  }
  throw new DnsFailed('others change the same names all the time')
}

type Wanted = { readonly name: string; readonly addresses: readonly string[] }

/** Waits until the server answers with it, or with what one of a higher rank has said since. */
const visible = async (options: Required<Rfc2136Options>, { name, addresses: wanted }: Wanted, claim?: Claim): Promise<void> => {
  const expected = [...new Set(wanted)].toSorted().join()
  const deadline = performance.now() + options.visibleWithinMs
  for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 200)) {
    const actual = (await lookUp(options, name, TYPE.A)).map(decodeAddress).toSorted()
    if (actual.join() === expected) return
    if (claim !== undefined && (await isOutranked(options, claim))) return
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
  for (const { name, type, ttlSeconds, data } of records) {
    const entry = names.get(canonical(name)) ?? { ttlSeconds, addresses: [] }
    if (type === TYPE.A) entry.addresses.push(decodeAddress(data))
    names.set(canonical(name), entry)
  }
  return [...names].map(([name, entry]) => ({ name, ...entry, addresses: entry.addresses.toSorted() }))
}

/** Addresses, and who spoke last; other texts are nobody's here. */
const isOurs = ({ type, data }: ResourceRecord): boolean =>
  type === TYPE.A || (type === TYPE.TXT && rankIn(data) !== undefined)

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

  /** Changes names in parts, and waits until that is to be seen. */
  const speak = async (
    wanted: readonly NameRecord[],
    claim: Claim | undefined,
    changesOf: (record: NameRecord) => readonly ResourceRecord[],
  ): Promise<Spoken> => {
    for (const part of inParts(wanted)) {
      const changes: Changes = () => part.flatMap(changesOf)
      if (claim === undefined) await update(options, changes)
      else if ((await underClaim(options, claim, changes)) === 'outranked') return 'outranked'
      await Promise.all(part.map((record) => visible(options, record, claim)))
    }
    return 'done'
  }
  const own = (claim: Claim | undefined): Claim | undefined => claim && { ...claim, name: inZone(claim.name) }

  return {
    async publish(records, claim) {
      const named = records.map((record) => ({ ...record, name: inZone(record.name) }))
      if (named.some(({ addresses: all }) => all.length === 0)) throw new DnsFailed('a name must have an address')
      return speak(named, own(claim), (record) => [removal(record.name, TYPE.A), ...addresses(record)])
    },

    async withdraw(names, claim) {
      const gone = names.map((name) => ({ name: inZone(name), addresses: [], ttlSeconds: 0 }))
      return speak(gone, own(claim), ({ name }) => [removal(name, claim === undefined ? TYPE.ANY : TYPE.A)])
    },

    async list(suffix) {
      const wanted = canonical(suffix)
      const names = grouped((await transfer(options)).filter(isOurs))
      return names.filter(({ name }) => name === wanted || name.endsWith(`.${wanted}`))
    },
  }
}
