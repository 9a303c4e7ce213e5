import { join } from 'node:path'
import { CannotProvide } from '../provider.ts'
import type { LinkFaults, Machine, MachineSpec, PacketRules, Provider, Resource } from '../provider.ts'
import { claims, type Claims, type Holder } from './claims.ts'
import { onceOnly } from './graves.ts'
import { processHost } from './index.ts'
import { AddressRecord, addressFile, FilterRecord, filterFile, OffRecord, offFile } from './kept.ts'
import { machines, type MachineRecord } from './machines.ts'
import { eraseRecord, readRecord, writeRecord } from './records.ts'
import type { Site, User } from './site.ts'
import { cutPower, startEnabled } from './units.ts'
import { neededVolume, volumeIn, volumeVerbs } from './volumes.ts'

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
  readonly linkFaults?: LinkFaults
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

const machineOf = ({ nodeId, datastoreId, zone, instance, privateAddress }: MachineRecord): Machine => ({
  nodeId,
  datastoreId,
  machineId: nodeId,
  zone,
  instance,
  privateAddress,
  power: 'on',
})

const needed = async ({ store }: Parts, nodeId: string): Promise<MachineRecord> => {
  const record = await store.read(nodeId)
  if (record === undefined) throw new Error(`there is no machine ${nodeId}`)
  return record
}

const networkOf = async ({ networks }: Parts, networkId: string): Promise<string> => {
  const network = await networks.heldBy(networkId)
  if (network === undefined) throw new Error(`there is no network ${networkId}`)
  return network
}

const siteOf = ({ options, ground, store }: Parts, { nodeId, privateAddress }: MachineRecord): Site => ({
  folder: store.folderOf(nodeId),
  address: privateAddress,
  enter: ground.enter(nodeId),
  user: options.user,
  binDirs: options.binDirs,
  libraryPaths: options.libraryPaths ?? [],
})

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

/** Puts the machine on its network, and before it those rules that it has. */
const plug = async ({ ground, store }: Parts, record: MachineRecord, network: string): Promise<void> => {
  await ground.plug(record, network)
  const rules = await readRecord(filterFile(store.folderOf(record.nodeId)), FilterRecord)
  if (rules !== undefined) await ground.filter?.(record.nodeId, rules, network)
}

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
  return machineOf(record)
}

const setFirewall = async (
  parts: Parts,
  filter: NonNullable<Ground['filter']>,
  nodeId: string,
  rules: PacketRules,
): Promise<void> => {
  const record = await needed(parts, nodeId)
  await writeRecord(filterFile(parts.store.folderOf(nodeId)), rules)
  await filter(nodeId, rules, await networkOf(parts, record.networkId))
}

const boot = async (parts: Parts, nodeId: string): Promise<void> => {
  const { ground, store } = parts
  const record = await needed(parts, nodeId)
  await eraseRecord(offFile(store.folderOf(nodeId)))
  const network = await networkOf(parts, record.networkId)
  await ground.raiseNetwork(record.networkId, network)
  await plug(parts, record, network)
  const { sizeGib } = await neededVolume(store, nodeId)
  await ground.mount(store.folderOf(nodeId), sizeGib)
  await startEnabled(siteOf(parts, record))
}

const halt = async (
  { ground, store }: Parts,
  nodeId: string,
  { staysOff = false }: { readonly staysOff?: boolean } = {},
): Promise<void> => {
  const folder = store.folderOf(nodeId)
  // First, so that what is cut off in the middle is not booted with all the others.
  if (staysOff && (await store.read(nodeId)) !== undefined) await writeRecord(offFile(folder), {})
  await cutPower(folder)
  await ground.unplug(nodeId)
  await ground.detach(folder)
  const record = await store.read(nodeId)
  if (record !== undefined) await ground.lowerNetwork(record.networkId)
}

const resize = async (parts: Parts, nodeId: string, { code, cpu, ramGb }: MachineSpec['instance']): Promise<void> => {
  const record = await needed(parts, nodeId)
  const { instance } = record
  if (instance.code !== code || instance.cpu !== cpu || instance.ramGb !== ramGb) {
    await halt(parts, nodeId)
    await parts.store.rewrite({ ...record, instance: { code, cpu, ramGb } })
  }
  await boot(parts, nodeId)
}

type MachineVerbs = Pick<Provider, 'createMachine' | 'deleteMachine' | 'find' | 'boot' | 'resize' | 'halt' | 'fence' | 'host'>

const machineVerbs = (parts: Parts): MachineVerbs => ({
  createMachine: (spec) => createMachine(parts, spec),

  async deleteMachine(nodeId) {
    const { ground, store, addresses } = parts
    const folder = store.folderOf(nodeId)
    await cutPower(folder)
    await ground.unplug(nodeId)
    await ground.unmount(folder)
    await store.remove(nodeId)
    await addresses.release(nodeId)
  },

  async find(nodeId) {
    const record = await parts.store.read(nodeId)
    if (record === undefined) return undefined
    const off = await readRecord(offFile(parts.store.folderOf(nodeId)), OffRecord)
    return { ...machineOf(record), ...(off === undefined ? {} : { staysOff: true }) }
  },

  boot: (nodeId) => boot(parts, nodeId),
  resize: (nodeId, instance) => resize(parts, nodeId, instance),
  halt: (nodeId, options) => halt(parts, nodeId, options),
  fence: async () => {
    throw new Error('this provider cannot fence a machine')
  },
  host: async (nodeId) => processHost(siteOf(parts, await needed(parts, nodeId))),
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
    ...(ground.linkFaults === undefined ? {} : { linkFaults: ground.linkFaults }),
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
