import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Host } from '../../host.ts'
import { CannotProvide } from '../provider.ts'
import type { CutDirection, Machine, MachineSpec, PacketRules, Provider, Resource } from '../provider.ts'
import { claims, type Claims, type Holder } from './claims.ts'
import { onceOnly } from './graves.ts'
import { processHost } from './index.ts'
import { AddressRecord, addressFile, fenceFile, offFile } from './kept.ts'
import { forgetLink, isConnected, linkFaults, plug, setFirewall } from './links.ts'
import { machines, type MachineRecord } from './machines.ts'
import { isOn, markOff, poweredSince } from './power-state.ts'
import { boot, fence, halt, resize } from './power.ts'
import { eraseRecord, readRecord, writeRecord } from './records.ts'
import type { Site, User } from './site.ts'
import { cutPower } from './units.ts'
import { volumeIn, volumeVerbs } from './volumes.ts'

/** Somebody else on this machine uses the network that was chosen. Another attempt chooses another one. */
export class NetworkTaken extends Error {
  override readonly name = 'NetworkTaken'
}

/** What every provider of machines on this machine is told. */
export type LocalOptions = {
  /** Where its machines are kept: an absolute path, its own alone, through which the unprivileged user may pass. */
  readonly machinesDir: string
  readonly binDirs: readonly string[]
  readonly libraryPaths?: readonly string[]
  /** Whom programs run as when the control plane is root. */
  readonly user?: User
}

/** What differs between machines of this one: how they are connected, and what their volumes are made of. */
export type Ground = Pick<Provider, 'name' | 'capabilities' | 'unavailable'> & {
  /** Makes the machine's link so, or nothing when it is off; may be repeated. With the capability `link-faults`. */
  readonly setLink?: (nodeId: string, state: CutDirection | 'whole') => Promise<void>
  /** Looks, at once and without a process, whether the machine's link is there and up. */
  readonly link: (nodeId: string) => () => boolean
  /** Whether the machine is on its network, cut off or not. */
  readonly isPlugged: (nodeId: string) => Promise<boolean>
  readonly networkCandidates: (networkId: string) => Iterable<string>
  readonly isNetworkFree: (network: string) => Promise<boolean>
  readonly cidrOf: (network: string) => string
  /** Makes the network exist; may be repeated, and after a reboot must be. Throws `NetworkTaken`. */
  readonly raiseNetwork: (networkId: string, network: string) => Promise<void>
  readonly razeNetwork: (networkId: string) => Promise<void>
  /** Takes the network down while no machine is on it. */
  readonly lowerNetwork: (networkId: string) => Promise<void>
  readonly addressCandidates: (nodeId: string, network: string) => Iterable<string>
  readonly isAddressFree: (address: string) => Promise<boolean>
  /** Puts the machine on its network; may be repeated, and after a reboot must be. */
  readonly plug: (record: MachineRecord, network: string) => Promise<void>
  /** Sets the packet filter of a machine that is on its network; with the capability `packet-filter`. */
  readonly filter?: ((nodeId: string, rules: PacketRules, network: string) => Promise<void>) | undefined
  readonly unplug: (nodeId: string) => Promise<void>
  readonly enter: (nodeId: string) => readonly string[]
  /** Makes the volume's folder hold the volume, of that size; may be repeated, and after a reboot must be. */
  readonly mount: (folder: string, sizeGib: number) => Promise<void>
  /** Makes the volume in the folder hold so much, mounted or not; may be repeated. */
  readonly grow: (folder: string, sizeGib: number) => Promise<void>
  /** Takes the volume off the folder; what is in it stays. */
  readonly detach: (folder: string) => Promise<void>
  /** Removes the volume with all in it. */
  readonly unmount: (folder: string) => Promise<void>
}

export type Parts = {
  readonly options: LocalOptions
  readonly ground: Ground
  readonly store: ReturnType<typeof machines>
  readonly addresses: Claims
  readonly networks: Claims
}

const machineOf = async ({ ground, store }: Parts, record: MachineRecord): Promise<Machine> => {
  const { nodeId, datastoreId, zone, instance, privateAddress } = record
  const folder = store.folderOf(nodeId)
  const power = isOn(folder) && (await ground.isPlugged(nodeId)) ? 'on' : 'off'
  const staysOff = [offFile, fenceFile].some((file) => existsSync(file(folder)))
  const machineId = nodeId
  return { nodeId, datastoreId, machineId, zone, instance, privateAddress, power, ...(staysOff ? { staysOff } : {}) }
}

/** @throws when there is no such machine */
export const needed = async ({ store }: Parts, nodeId: string): Promise<MachineRecord> => {
  const record = await store.read(nodeId)
  if (record === undefined) throw new Error(`there is no machine ${nodeId}`)
  return record
}

/** @throws when there is no such network */
export const networkOf = async ({ networks }: Parts, networkId: string): Promise<string> => {
  const network = await networks.heldBy(networkId)
  if (network === undefined) throw new Error(`there is no network ${networkId}`)
  return network
}

/** Where the programs of the machine run. */
export const siteOf = ({ options, ground, store }: Parts, { nodeId, privateAddress }: MachineRecord): Site => ({
  folder: store.folderOf(nodeId),
  address: privateAddress,
  since: poweredSince(store.folderOf(nodeId)),
  enter: ground.enter(nodeId),
  user: options.user,
  binDirs: options.binDirs,
  libraryPaths: options.libraryPaths ?? [],
})

const hostOf = async (parts: Parts, nodeId: string): Promise<Host> => {
  const site = siteOf(parts, await needed(parts, nodeId))
  return processHost(site, isConnected(parts, nodeId))
}

const networkVerbs = (parts: Parts): Pick<Provider, 'createNetwork' | 'deleteNetwork'> => ({
  async createNetwork({ networkId, datastoreId }) {
    const { ground, networks } = parts
    const holder = { ownerId: networkId, datastoreId }
    const network = await networks.take(holder, ground.networkCandidates(networkId), ground.isNetworkFree)
    if (network === undefined) throw new CannotProvide('every subnet is taken')
    try {
      await ground.raiseNetwork(networkId, network)
    } catch (error) {
      // The next attempt must choose another one.
      if (error instanceof NetworkTaken) await networks.release(networkId)
      throw error
    }
    return { networkId, cidr: ground.cidrOf(network) }
  },

  async deleteNetwork(networkId) {
    await parts.ground.razeNetwork(networkId)
    await parts.networks.release(networkId)
  },
})

const createMachine = async (parts: Parts, spec: MachineSpec): Promise<Machine> => {
  const { ground, store, addresses } = parts
  const { nodeId, datastoreId } = spec
  const network = await networkOf(parts, spec.networkId)
  const candidates = ground.addressCandidates(nodeId, network)
  const address = await addresses.take({ ownerId: nodeId, datastoreId }, candidates, ground.isAddressFree)
  if (address === undefined) throw new CannotProvide('every address is taken')
  const before = await store.read(nodeId)
  const record = before ?? { ...spec, privateAddress: address }
  if (before === undefined) await store.create(record)
  await plug(parts, record, network)
  return machineOf(parts, record)
}

type MachineVerbs = Pick<Provider, 'createMachine' | 'deleteMachine' | 'find' | 'boot' | 'resize' | 'halt' | 'fence' | 'host'>

const machineVerbs = (parts: Parts): MachineVerbs => ({
  createMachine: (spec) => createMachine(parts, spec),

  async deleteMachine(nodeId) {
    const { ground, store, addresses } = parts
    const folder = store.folderOf(nodeId)
    await markOff(folder)
    await cutPower(folder)
    await ground.unplug(nodeId)
    await forgetLink(parts, nodeId)
    await ground.unmount(folder)
    await store.remove(nodeId)
    await addresses.release(nodeId)
  },

  async find(nodeId) {
    const record = await parts.store.read(nodeId)
    return record && machineOf(parts, record)
  },

  boot: (nodeId) => boot(parts, nodeId),
  resize: (nodeId, instance) => resize(parts, nodeId, instance),
  halt: (nodeId, options) => halt(parts, nodeId, options),
  fence: (nodeId) => fence(parts, nodeId),
  host: (nodeId) => hostOf(parts, nodeId),
})

const addressVerbs = (parts: Parts): Pick<Provider, 'allocateAddress' | 'releaseAddress'> => ({
  async allocateAddress(nodeId) {
    // Whoever can reach a machine at all is on this machine, so there is nothing to translate.
    const { privateAddress: publicAddress } = await needed(parts, nodeId)
    await writeRecord(addressFile(parts.store.folderOf(nodeId)), { publicAddress })
    return { publicAddress }
  },

  async releaseAddress(nodeId) {
    await eraseRecord(addressFile(parts.store.folderOf(nodeId)))
  },
})

const resourcesOf = async ({ store }: Parts, holder: Holder): Promise<readonly Resource[]> => {
  const { ownerId: nodeId, datastoreId } = holder
  const folder = store.folderOf(nodeId)
  const resource = { resourceId: nodeId, nodeId, datastoreId }
  const volume = await volumeIn(folder)
  const address = await readRecord(addressFile(folder), AddressRecord)
  return [
    ...(address === undefined ? [] : [{ ...resource, kind: 'address' as const, resourceId: address.publicAddress }]),
    ...(volume === undefined ? [] : [{ ...resource, kind: 'volume' as const }]),
    { ...resource, kind: 'machine' as const },
  ]
}

const distinct = (holders: readonly Holder[]): readonly Holder[] => [
  ...new Map(holders.map((holder) => [holder.ownerId, holder])).values(),
]

/**
 * A provider of machines that are processes of this one.
 *
 * What it holds is found in its folder alone: `<nodeId>/` per machine, `.addresses/` and `.networks/` with one claim
 * each. A claim is written before what it stands for is made, and removed after that is gone, so whatever a crash
 * leaves is listed. `.deleted/` remembers for a day what was deleted.
 */
export const processProvider = (options: LocalOptions, ground: Ground): Provider => {
  const store = machines(options.machinesDir)
  const addresses = claims(join(options.machinesDir, '.addresses'))
  const networks = claims(join(options.machinesDir, '.networks'))
  const parts: Parts = { options, ground, store, addresses, networks }
  const verbs = { ...networkVerbs(parts), ...machineVerbs(parts), ...volumeVerbs(parts), ...addressVerbs(parts) }
  return {
    name: ground.name,
    get capabilities() {
      return ground.capabilities
    },
    unavailable: ground.unavailable,
    ...(ground.setLink === undefined ? {} : { linkFaults: linkFaults(parts, ground.setLink) }),
    ...verbs,
    ...onceOnly(verbs, join(options.machinesDir, '.deleted')),
    get setFirewall() {
      const { filter } = ground
      return filter && ((nodeId: string, rules: PacketRules) => setFirewall(parts, filter, nodeId, rules))
    },

    async list(datastoreId) {
      const isOurs = (holder: Holder): boolean => datastoreId === undefined || holder.datastoreId === datastoreId
      const nodes = distinct([...(await store.holders()), ...(await addresses.holders())]).filter(isOurs)
      const held = distinct(await networks.holders()).filter(isOurs)
      return [
        ...(await Promise.all(nodes.map((node) => resourcesOf(parts, node)))).flat(),
        ...held.map((holder): Resource => ({
          kind: 'network',
          resourceId: holder.ownerId,
          datastoreId: holder.datastoreId,
          nodeId: null,
        })),
      ]
    },
  }
}
