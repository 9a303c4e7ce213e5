import type { Host } from '../host.ts'

export type NetworkSpec = { readonly networkId: string; readonly datastoreId: string; readonly region: string }
export type MachineSpec = {
  readonly nodeId: string
  readonly datastoreId: string
  readonly networkId: string
  readonly name: string
  readonly region: string
  readonly zone: string
  readonly instance: { readonly code: string; readonly cpu: number; readonly ramGb: number }
}
export type VolumeSpec = {
  readonly nodeId: string
  readonly datastoreId: string
  readonly type: string
  readonly sizeGib: number
  /** Absent: as fast as its type is. */
  readonly iops?: number
}
/** What a volume is, beside what is in it. */
export type VolumeKind = Pick<VolumeSpec, 'type' | 'sizeGib' | 'iops'>

export type Machine = {
  readonly nodeId: string
  readonly datastoreId: string
  /** The provider's own name for it. */
  readonly machineId: string
  readonly zone: string
  /** The size it has. */
  readonly instance: MachineSpec['instance']
  readonly privateAddress: string
  /** What the provider knows of it, whether or not anybody reaches it. */
  readonly power: 'on' | 'off'
  /** It is off because it is to be, until it is booted. */
  readonly staysOff?: boolean
}

/** What may come to a machine from outside of its network: TCP to these ports, from these ranges of addresses. */
export type PacketRules = { readonly ports: readonly number[]; readonly sources: readonly string[] | 'everybody' }

/** What a provider holds for us, found by our tags alone, so that an orphan can be named. */
export type Resource = {
  readonly kind: 'network' | 'machine' | 'volume' | 'address'
  readonly resourceId: string
  readonly datastoreId: string
  readonly nodeId: string | null
}

/**
 * Where machines come from. Every verb takes our ids, looks first, acts, waits until the effect is observable, and
 * answers the same when called again. Ownership is a tag with our ids, so nothing needs a table.
 */
export type Provider = {
  readonly name: string
  /** What this provider can really do; asked instead of who it is. */
  readonly capabilities: ReadonlySet<
    'volume-size-limit' | 'link-faults' | 'one-way-faults' | 'own-network' | 'packet-filter'
  >
  /** Undefined when it can work here, else one sentence why not. */
  readonly unavailable: () => Promise<string | undefined>
  readonly createNetwork: (spec: NetworkSpec) => Promise<{ readonly networkId: string; readonly cidr: string }>
  readonly deleteNetwork: (networkId: string) => Promise<void>
  readonly createMachine: (spec: MachineSpec) => Promise<Machine>
  readonly deleteMachine: (nodeId: string) => Promise<void>
  readonly find: (nodeId: string) => Promise<Machine | undefined>
  /** A public address for the machine, attached to it. */
  readonly allocateAddress: (nodeId: string) => Promise<{ readonly publicAddress: string }>
  readonly releaseAddress: (nodeId: string) => Promise<void>
  /** A volume, attached and mounted as the machine's `dataDir`. */
  readonly createVolume: (spec: VolumeSpec) => Promise<{ readonly volumeId: string }>
  /** The machine's volume as it was last asked for; undefined when it has none. */
  readonly volume: (nodeId: string) => Promise<VolumeKind | undefined>
  /** Makes the volume hold so much while it is used, a full one too. One that holds as much already is left alone. */
  readonly growVolume: (nodeId: string, sizeGib: number) => Promise<void>
  /** Makes the volume one of another kind, with what is in it and of the same size. */
  readonly changeVolume: (nodeId: string, kind: Pick<VolumeKind, 'type' | 'iops'>) => Promise<void>
  readonly deleteVolume: (nodeId: string) => Promise<void>
  /** Powers the machine on and waits until it takes commands; every enabled unit is started. */
  readonly boot: (nodeId: string) => Promise<void>
  /**
   * Gives the machine another size and waits until it is up with that: a machine of another size is powered off for it, and
   * one that has it already is only booted. Its address and its volume stay; every enabled unit is started.
   */
  readonly resize: (nodeId: string, instance: MachineSpec['instance']) => Promise<void>
  /**
   * Powers the machine off: nothing of it runs or is held on its host. Its volume stays, and `boot` brings it
   * back. With `staysOff` it is not brought back along with all the others when the control plane starts.
   */
  readonly halt: (nodeId: string, options?: { readonly staysOff?: boolean }) => Promise<void>
  /**
   * Powers the machine off from outside, at once and however it is connected: every program of it is killed, frozen ones too.
   * Until it is booted it is off, for the control plane's start as well; and that boot starts nothing that was enabled before.
   * A machine that is not there, or off, is left so.
   */
  readonly fence: (nodeId: string) => Promise<void>
  /**
   * There when the capability `packet-filter` is. From here on the rules hold, through every boot; before, all may come.
   * The machines of a network always reach each other. A machine that is off has them once it is booted.
   */
  readonly setFirewall?: ((nodeId: string, rules: PacketRules) => Promise<void>) | undefined
  readonly host: (nodeId: string) => Promise<Host>
  /** Everything tagged as ours, or only what belongs to one datastore. */
  readonly list: (datastoreId?: string) => Promise<readonly Resource[]>
  /** There when the capability `link-faults` is. */
  readonly linkFaults?: LinkFaults
}

/** Which packets are dropped: those to the machine, those from it, or all. */
export type CutDirection = 'both' | 'in' | 'out'

/**
 * The machine's network link, where the provider can cut it (capability `link-faults`). For fault tests. A cut lasts until
 * it is healed or the machine is deleted, through every other verb.
 */
export type LinkFaults = {
  /** In one direction with the capability `one-way-faults`. Another cut takes the place of the last. */
  readonly cut: (nodeId: string, direction: CutDirection) => Promise<void>
  readonly heal: (nodeId: string) => Promise<void>
}

/** What the provider can never do, however often it is asked (no such zone). Everything else is worth a retry. */
export class CannotProvide extends Error {
  override readonly name = 'CannotProvide'
}
