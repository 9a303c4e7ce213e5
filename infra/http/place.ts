import { isIPv6 } from 'node:net'

const NETWORK_GROUPS = 4

/**
 * Where a network address belongs to: an IPv4 address is itself, an IPv6 address its network of 64 bits, since whoever has
 * one has all of it.
 */
export const placeOf = (address: string): string => {
  const bare = address.replace(/^::ffff:(?=\d+\.)/i, '')
  if (!isIPv6(bare)) return bare
  const [left = '', right] = bare.split('::')
  const groups = left === '' ? [] : left.split(':')
  const tail = right === undefined || right === '' ? [] : right.split(':')
  const zeros = right === undefined ? [] : Array.from({ length: 8 - groups.length - tail.length }, () => '0')
  return [...groups, ...zeros, ...tail].slice(0, NETWORK_GROUPS).join(':').toLowerCase()
}
