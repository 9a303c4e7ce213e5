import { Resolver, lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Rejection } from '../../domain/kernel/decider.ts'
import { reject } from '../../domain/kernel/decider.ts'
import { publicAddresses } from './addresses.ts'

export type Address = { readonly address: string; readonly family: number }
export type Resolve = (host: string) => Promise<readonly Address[]>

/** Where a request may go: to these addresses and no others, though the name may lead elsewhere a moment later. */
export type Target = { readonly url: URL; readonly addresses: readonly Address[] }

export type TargetRejection = 'webhook-target-refused'

export type Targets = {
  /**
   * Looks where an address leads, now. To be asked before every single request.
   *
   * @param text the address as its owner gave it
   * @returns a refusal that does not say what was found, lest it tell of our network
   */
  readonly find: (text: string) => Promise<Target | Rejection<TargetRejection>>
}

export type TargetRules = {
  /** Whether plain `http:` will do; for tests and closed networks. */
  readonly allowHttp: boolean
  /** Blocks of addresses that are allowed although they are not public. */
  readonly allowed: readonly string[]
  /** Our own servers, `host:port`, which are refused even where their address is allowed. */
  readonly own: readonly string[]
  /** All addresses of a host; default: as the system resolves it. */
  readonly resolve?: Resolve
}

const URL_LENGTH_MAX = 2_000
const PORTS_BELOW = 1_024

const refuse = (because: string) => reject('webhook-target-refused', because)

const NAME_TIMEOUT_MS = 2_000
const NAME_TRIES = 2

const isAbsent = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOTFOUND' || error.code === 'ENODATA')

/**
 * Asks the name servers itself: the system's own way takes one of four threads for as long as a dead name server lets it
 * wait, and all others with it. That way is gone only for names that no name server has, such as those of /etc/hosts.
 */
const bySystem: Resolve = async (host) => {
  const resolver = new Resolver({ timeout: NAME_TIMEOUT_MS, tries: NAME_TRIES })
  const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
  const found = [
    ...(four.status === 'fulfilled' ? four.value.map((address) => ({ address, family: 4 })) : []),
    ...(six.status === 'fulfilled' ? six.value.map((address) => ({ address, family: 6 })) : []),
  ]
  if (found.length > 0 || (four.status === 'rejected' && !isAbsent(four.reason))) return found
  return lookup(host, { all: true, verbatim: true })
}

const unbracketed = (host: string): string => host.replace(/^\[(.*)\]$/, '$1')

const portOf = ({ port, protocol }: URL): number => (port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port))

/**
 * What webhooks may be sent to. A tenant names the target, and we connect from within our network: without this he would
 * have our servers' reach. A host is refused when any of its addresses is.
 */
export const targets = ({ allowHttp, allowed, own, resolve = bySystem }: TargetRules): Targets => {
  const isPublic = publicAddresses(allowed)
  const ours = new Set(own)

  const parsed = (text: string): URL | Rejection<TargetRejection> => {
    const url = text.length <= URL_LENGTH_MAX && URL.canParse(text) ? new URL(text) : undefined
    if (url === undefined) return refuse('the address is not an absolute URL')
    const isFit = url.protocol === 'https:' || (allowHttp && url.protocol === 'http:')
    if (!isFit) return refuse('the address must begin with https://')
    if (url.username !== '' || url.password !== '') return refuse('the address must not hold a user or password')
    if (url.hash !== '') return refuse('the address must not hold a fragment')
    const port = portOf(url)
    if (port < PORTS_BELOW && port !== 443 && port !== 80) return refuse('the port must be 80, 443, or above 1023')
    return url
  }

  return {
    find: async (text) => {
      const url = parsed(text)
      if ('rejected' in url) return url
      const host = unbracketed(url.hostname)
      const port = portOf(url)
      const family = isIP(host)
      const found = family === 0 ? await resolve(host).catch(() => []) : [{ address: host, family }]
      const isOwn = [host, ...found.map(({ address }) => address)].some((name) => ours.has(`${name}:${port}`))
      if (isOwn || found.length === 0 || !found.every(({ address }) => isPublic(address))) {
        return refuse('the host does not resolve, or not to public addresses alone')
      }
      return { url, addresses: found }
    },
  }
}
