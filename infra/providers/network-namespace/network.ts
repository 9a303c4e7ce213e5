import { createHash } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { NetworkTaken } from '../process-host/provider.ts'
import { ensure, ip, links } from './ip.ts'

const SUBNETS_MAX = 254

const digest = (id: string): Buffer => createHash('sha256').update(id).digest()

/**
 * An id as one installation has it: two on one machine may derive the same id from the same request, and must not meet.
 *
 * @param machinesDir the installation's own folder of machines
 */
export const placed = (machinesDir: string, id: string): string => JSON.stringify([machinesDir, id])

/** Names of links are at most 15 characters long (IFNAMSIZ). */
export const bridgeOf = (networkId: string): string => `cxb${digest(networkId).toString('hex').slice(0, 12)}`
export const linkOf = (nodeId: string): string => `cxv${digest(nodeId).toString('hex').slice(0, 12)}`

const gatewayOf = (network: string): string => network.replace(/\.0$/, '.1')

/** 10.77.n.0 for n from 1 to 254, beginning anywhere, so that two instances seldom want the same. */
export function* subnets(networkId: string): Generator<string> {
  const first = digest(networkId).readUInt16BE(0)
  for (let i = 0; i < SUBNETS_MAX; i++) yield `10.77.${1 + ((first + i) % SUBNETS_MAX)}.0`
}

export const cidrOf = (network: string): string => `${network}/24`

export function* hosts(nodeId: string, network: string): Generator<string> {
  const first = digest(nodeId).readUInt16BE(0)
  for (let i = 0; i < 253; i++) yield network.replace(/\.0$/, `.${2 + ((first + i) % 253)}`)
}

/** Whether no link of this machine has an address in the subnet. */
export const isSubnetFree = async (network: string): Promise<boolean> => {
  const prefix = network.replace(/0$/, '')
  return !(await links()).some(({ addresses }) => addresses.some((address) => address.startsWith(prefix)))
}

const usersOf = async (gateway: string, bridge: string): Promise<number> =>
  (await links()).filter(({ name, addresses }) => name !== bridge && addresses.includes(gateway)).length

/**
 * Makes the network's bridge, with this machine as the gateway.
 *
 * @throws NetworkTaken when another instance took the subnet at the same moment; nothing is left of ours then
 */
export const raiseBridge = async (networkId: string, network: string): Promise<void> => {
  const bridge = bridgeOf(networkId)
  const gateway = gatewayOf(network)
  const own = async () => (await links()).find(({ name }) => name === bridge)
  const isMine = async (): Promise<boolean> => (await own())?.addresses.includes(gateway) === true
  await ensure(
    async () => (await own()) !== undefined,
    () => ip('link', 'add', 'name', bridge, 'type', 'bridge'),
  )
  const isNew = !(await isMine())
  await ensure(isMine, () => ip('address', 'add', `${gateway}/24`, 'dev', bridge))
  if (isNew && (await usersOf(gateway, bridge)) > 0) {
    await removeLink(bridge)
    throw new NetworkTaken(`another network of this machine uses ${cidrOf(network)}`)
  }
  // Networks do not reach each other or the world through this machine, even where it forwards for others.
  await writeFile(`/proc/sys/net/ipv4/conf/${bridge}/forwarding`, '0')
  await ip('link', 'set', 'dev', bridge, 'up')
}

/** Removes the bridge when no machine is plugged into it; the next boot of one makes it again. */
export const lowerBridge = async (networkId: string): Promise<void> => {
  const bridge = bridgeOf(networkId)
  const members = await readdir(`/sys/class/net/${bridge}/brif`).catch(() => [])
  if (members.length === 0) await removeLink(bridge)
}

export const removeLink = async (name: string): Promise<void> =>
  ensure(
    async () => !(await links()).some((link) => link.name === name),
    () => ip('link', 'delete', 'dev', name),
  )
