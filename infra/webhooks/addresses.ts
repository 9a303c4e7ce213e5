import { BlockList, isIPv4, isIPv6 } from 'node:net'

/** Blocks of IPv4 that lead to nobody's public server (IANA IPv4 Special-Purpose Address Registry). */
const SPECIAL_IPV4: readonly string[] = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24',
  '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24',
  '224.0.0.0/4', '240.0.0.0/4',
  // A public address within one cloud, where it answers with the machine's own settings.
  '168.63.129.16/32',
]

/** All that is handed out to anybody; outside of it are loopback, mapped, translated, local and multicast addresses. */
const GLOBAL_IPV6 = '2000::/3'

/** What is special within it: Teredo and other assignments, documentation, 6to4 (IANA IPv6 registry). */
const SPECIAL_IPV6: readonly string[] = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

type Family = 'ipv4' | 'ipv6'

/** Each family in a list of its own: in a common one, `::ffff:0:0/96` would stand for all of IPv4. */
const blocks = (cidrs: readonly string[]) => {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() }
  for (const cidr of cidrs) {
    const [network = '', prefix] = cidr.split('/')
    const family = familyOf(network)
    if (family === undefined) throw new Error(`${cidr} is no block of addresses`)
    lists[family].addSubnet(network, prefix === undefined ? (family === 'ipv4' ? 32 : 128) : Number(prefix), family)
  }
  return (address: string, family: Family): boolean => lists[family].check(address, family)
}

const familyOf = (address: string): Family | undefined => {
  if (isIPv4(address)) return 'ipv4'
  return isIPv6(address) && !address.includes('%') ? 'ipv6' : undefined
}

const special = blocks([...SPECIAL_IPV4, ...SPECIAL_IPV6])
const global = blocks([GLOBAL_IPV6])

/**
 * Tells the addresses of public servers from all others: private, loopback, link-local (and with it the metadata of
 * clouds), shared, multicast, reserved and documentation ones, and every form in which an IPv6 address stands for an IPv4
 * address. Source: OWASP Server-Side Request Forgery Prevention Cheat Sheet; the registries of RFC 6890.
 *
 * @param allowed blocks (`10.1.0.0/16`) that the operator lets in all the same
 * @throws when one of them is no block
 */
export const publicAddresses = (allowed: readonly string[]): ((address: string) => boolean) => {
  const exempt = blocks(allowed)
  return (address) => {
    const family = familyOf(address)
    if (family === undefined) return false
    if (exempt(address, family)) return true
    return !special(address, family) && (family === 'ipv4' || global(address, family))
  }
}
