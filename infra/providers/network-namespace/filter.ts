import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { findProgram, systemProgram } from '../process-host/programs.ts'
import type { PacketRules } from '../provider.ts'
import { enter, isPlugged } from './machine.ts'

const TIMEOUT_MS = 20_000

/** The program that sets packet filters, where it is there and this kernel has them. */
export const filterProgram = (binDirs: readonly string[]): string | undefined => {
  const nft = findProgram('nft', binDirs)
  if (nft === undefined) return undefined
  const trial = [systemProgram('unshare'), ['--net', nft, 'list', 'ruleset'], { stdio: 'ignore', timeout: TIMEOUT_MS }] as const
  return spawnSync(...trial).status === 0 ? nft : undefined
}

/**
 * What a machine's packet filter is to be, for nft. The chain is replaced as a whole, so no packet meets half of it. It looks
 * at each packet to a port for itself: a source that is trusted no more is cut off in the middle of its connections.
 *
 * @param network `10.77.n.0`; all of it but its gateway, which is the machine underneath, are machines of the datastore
 */
export const filterText = ({ ports, sources }: PacketRules, network: string): string => {
  const gateway = network.replace(/\.0$/, '.1')
  const among = sources === 'everybody' ? ['0.0.0.0/0', '::/0'] : sources
  const accept = (family: 'ip' | 'ip6', ranges: readonly string[]): readonly string[] =>
    ranges.length === 0 ? [] : [`tcp dport { ${ports.join(', ')} } ${family} saddr { ${ranges.join(', ')} } accept`]
  return [
    'table inet ccx',
    'delete table inet ccx',
    'table inet ccx {',
    ' chain input {',
    '  type filter hook input priority filter; policy drop;',
    '  iifname "lo" accept',
    `  ip saddr ${network}/24 ip saddr != ${gateway} accept`,
    ...accept('ip', distinct(among.filter((range) => !range.includes(':')))).map((line) => `  ${line}`),
    ...accept('ip6', distinct(among.filter((range) => range.includes(':')))).map((line) => `  ${line}`),
    `  tcp dport { ${ports.join(', ')} } drop`,
    // What the machine itself has asked for comes back; and it can be told that there is no way.
    '  ct state established,related accept',
    '  meta l4proto { icmp, ipv6-icmp } accept',
    ' }',
    '}',
    '',
  ].join('\n')
}

/** A range that lies within another is left out: nft refuses sets of ranges that overlap. */
const distinct = (ranges: readonly string[]): readonly string[] =>
  [...new Set(ranges)].filter((range, _, all) => !all.some((other) => other !== range && within(range, other)))

const within = (range: string, other: string): boolean => bitsOf(range).startsWith(bitsOf(other))

/** The bits that a range has in common. */
const bitsOf = (range: string): string => {
  const [address = '', length = '0'] = range.split('/')
  const isV6 = address.includes(':')
  const parts = address.split(isV6 ? ':' : '.').map((part) => Number.parseInt(part === '' ? '0' : part, isV6 ? 16 : 10))
  return parts.map((part) => part.toString(2).padStart(isV6 ? 16 : 8, '0')).join('').slice(0, Number(length))
}

/**
 * Sets the machine's packet filter; a machine that is off has none to set.
 *
 * @param nft its program
 * @throws when the kernel refuses; nothing has changed then
 */
export const setFilter = async (nft: string, nodeId: string, rules: string): Promise<void> => {
  if (!(await isPlugged(nodeId))) return
  await load([...enter(nodeId), nft], rules)
}

/**
 * Has nft do as a text says, all of it or nothing.
 *
 * @param nft the program, and what leads to where it is to do so
 * @throws when the kernel refuses; nothing has changed then
 */
export const load = async (nft: readonly string[], rules: string): Promise<void> => {
  const [program, ...args] = [...nft, '-f', '-']
  const child = spawn(program, args, { env: { LC_ALL: 'C.UTF-8' }, stdio: ['pipe', 'ignore', 'pipe'], timeout: TIMEOUT_MS })
  child.stdin.on('error', () => undefined)
  child.stdin.end(rules)
  const [words, [code]] = await Promise.all([text(child.stderr), once(child, 'close')])
  if (code !== 0) throw new Error('the packet filter could not be set', { cause: new Error(words.trim()) })
}
