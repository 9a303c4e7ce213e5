import type { Broker } from './broker.ts'
import type { Machines } from './machine.ts'
import type { Network } from './network.ts'
import type { ControllerDb, EventLog, Mistakes } from './stores.ts'
import type { Actor, World } from './world.ts'

/** Where a name leads, and since when. */
export type Dns = { readonly actor: Actor; primary: string }

/** Everything there is, for whoever works in it. */
export type Site = {
  readonly world: World
  readonly net: Network
  readonly log: EventLog
  readonly broker: Broker
  readonly db: ControllerDb
  readonly machines: Machines
  /** Where machines come from; powers them off and on from outside. */
  readonly cloud: Actor
  /** In how many of all cases it does nothing at all. */
  readonly cloudFails: { of: number }
  readonly dns: Dns
  readonly names: readonly string[]
  readonly synchronous: boolean
  readonly prefer: 'consistency' | 'availability'
  /** A tenant changes something meanwhile. */
  readonly isChanged: boolean
  readonly mistakes: Mistakes
}
