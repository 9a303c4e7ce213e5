/** Addresses are numbers of so many bits; the mapped ones are IPv4 in the clothes of IPv6 (RFC 4291, 2.5.5.2). */
const V4_BITS = 32
const V6_BITS = 128
const MAPPED = 0xffffn

type Address = { readonly bits: number; readonly value: bigint }

/**
 * A source of connections as all the ways to write it agree on: the network's first address and the length of its mask.
 *
 * @param text an IPv4 or IPv6 address, which stands for itself alone, or a range of them (`10.0.0.0/24`, `fd00::/8`)
 * @returns such as `10.0.0.0/24` or `fd00:0:0:0:0:0:0:0/8`; undefined for anything else
 */
export const normalisedSource = (text: string): string | undefined => {
  const [written = '', length, ...rest] = text.trim().split('/')
  if (rest.length > 0 || (length !== undefined && !/^(0|[1-9]\d{0,2})$/.test(length))) return undefined
  const address = v4Of(written) ?? v6Of(written)
  if (address === undefined) return undefined
  const mask = length === undefined ? address.bits : Number(length)
  if (mask > address.bits) return undefined
  return isMapped(address, mask)
    ? rangeText({ bits: V4_BITS, value: address.value & 0xffffffffn }, mask - (V6_BITS - V4_BITS))
    : rangeText(address, mask)
}

const isMapped = ({ bits, value }: Address, mask: number): boolean =>
  bits === V6_BITS && mask >= V6_BITS - V4_BITS && value >> 32n === MAPPED

const v4Of = (text: string): Address | undefined => {
  const parts = text.split('.')
  // No leading zeros: some read them as octal.
  const isV4 = parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
  return isV4 ? { bits: V4_BITS, value: parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n) } : undefined
}

const GROUPS = 8

const v6Of = (text: string): Address | undefined => {
  const [head = '', tail, ...rest] = text.split('::')
  if (!text.includes(':') || rest.length > 0) return undefined
  const before = groupsOf(head)
  const after = groupsOf(tail ?? '')
  if (before === undefined || after === undefined) return undefined
  const missing = GROUPS - before.length - after.length
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined
  const groups = [...before, ...Array.from({ length: missing }, () => 0n), ...after]
  return { bits: V6_BITS, value: groups.reduce((sum, group) => (sum << 16n) | group, 0n) }
}

/** The groups of sixteen bits between colons; the last two may be written as an IPv4 address. */
const groupsOf = (text: string): readonly bigint[] | undefined => {
  if (text === '') return []
  const parts = text.split(':')
  const v4 = v4Of(parts.at(-1) ?? '')
  const hex = v4 === undefined ? parts : parts.slice(0, -1)
  if (!hex.every((part) => /^[0-9a-fA-F]{1,4}$/.test(part))) return undefined
  const groups = hex.map((part) => BigInt(`0x${part}`))
  return v4 === undefined ? groups : [...groups, v4.value >> 16n, v4.value & 0xffffn]
}

const rangeText = ({ bits, value }: Address, mask: number): string => {
  const free = BigInt(bits - mask)
  const first = (value >> free) << free
  const width = bits === V4_BITS ? 8 : 16
  const part = (index: number): bigint => (first >> BigInt(bits - width * (index + 1))) & ((1n << BigInt(width)) - 1n)
  const parts = Array.from({ length: bits / width }, (_, index) => part(index))
  return `${bits === V4_BITS ? parts.join('.') : parts.map((group) => group.toString(16)).join(':')}/${mask}`
}
