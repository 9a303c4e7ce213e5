import type { PacketRules, Provider } from '../provider.ts'
import { processProvider, type LocalOptions } from '../process-host/provider.ts'
import { whyNot } from '../process-host/readiness.ts'
import { isRoot } from '../process-host/site.ts'
import { canCutOneWay, setLink } from './faults.ts'
import { filterProgram, filterText, setFilter } from './filter.ts'
import { system } from './ip.ts'
import { enter, isPlugged, linkIsUp, plug, unplug } from './machine.ts'
import { bridgeOf, cidrOf, hosts, isSubnetFree, lowerBridge, placed, raiseBridge, removeLink, subnets } from './network.ts'
import { canMountImages, detachVolume, growImage, mountImage, removeVolume } from './volume.ts'

/** Tried in a user's own namespaces, which end with the program: a trial leaves nothing behind. */
const NEEDS = 'ip link add name probe0 type veth peer name probe1 && ip link add name probe2 type bridge'

const unavailable = async (options: LocalOptions): Promise<string | undefined> => {
  if (!isRoot()) return 'network namespaces need root'
  const reason = await whyNot(options, ['ip', 'nsenter', 'unshare', 'mount', 'umount'])
  if (reason !== undefined) return reason
  try {
    await system('unshare', '--net', 'sh', '-c', NEEDS)
    return undefined
  } catch {
    return 'this machine permits no network namespaces, veth pairs or bridges'
  }
}

/**
 * Machines that are network namespaces of this one: own address, own link that can be cut, a bridge per network, and
 * where loop devices work a volume with a real size. Needs root; what runs in them is unprivileged.
 */
export const networkNamespace = (options: LocalOptions): Provider => {
  const own = (id: string): string => placed(options.machinesDir, id)
  let limited: boolean | undefined
  let nft: string | false | undefined
  let oneWay: boolean | undefined
  const filters = (): string | false => (nft ??= isRoot() && (filterProgram(options.binDirs) ?? false))
  const oneWayProgram = (): string | undefined => {
    const program = filters()
    return program !== false && (oneWay ??= canCutOneWay(program)) ? program : undefined
  }
  const isLimited = (): boolean => (limited ??= isRoot() && canMountImages())
  return processProvider(options, {
    name: 'network-namespace',
    get capabilities() {
      const size = isLimited() ? (['volume-size-limit'] as const) : []
      const filter = filters() === false ? [] : (['packet-filter'] as const)
      const faults = oneWayProgram() === undefined ? [] : (['one-way-faults'] as const)
      return new Set(['link-faults', 'own-network', ...size, ...filter, ...faults] as const)
    },
    unavailable: () => unavailable(options),
    setLink: (nodeId, state) => setLink(oneWayProgram(), own(nodeId), state),
    link: (nodeId) => linkIsUp(own(nodeId)),
    isPlugged: (nodeId) => isPlugged(own(nodeId)),
    networkCandidates: (networkId) => subnets(own(networkId)),
    isNetworkFree: isSubnetFree,
    cidrOf,
    raiseNetwork: (networkId, network) => raiseBridge(own(networkId), network),
    razeNetwork: (networkId) => removeLink(bridgeOf(own(networkId))),
    lowerNetwork: (networkId) => lowerBridge(own(networkId)),
    addressCandidates: hosts,
    isAddressFree: async () => true,
    plug: ({ nodeId, networkId, ...rest }, network) =>
      plug({ ...rest, nodeId: own(nodeId), networkId: own(networkId) }, network),
    get filter() {
      const program = filters()
      if (program === false) return undefined
      return (nodeId: string, rules: PacketRules, network: string) => setFilter(program, own(nodeId), filterText(rules, network))
    },
    unplug: (nodeId) => unplug(own(nodeId)),
    enter: (nodeId) => enter(own(nodeId)),
    mount: async (folder, sizeGib) => (isLimited() ? mountImage(folder, sizeGib) : undefined),
    grow: async (folder, sizeGib) => (isLimited() ? growImage(folder, sizeGib) : undefined),
    detach: detachVolume,
    unmount: removeVolume,
  })
}
