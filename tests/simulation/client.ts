import type { Doing } from './network.ts'
import type { Site } from './site.ts'
import { type Actor, actor } from './world.ts'

const TIMEOUT_MS = 2_000
const NAME_KEPT_MS = 5_000

/** A write that a client was told of that it succeeded. */
export type Acknowledged = { readonly entry: number; readonly node: string; readonly atMs: number }

export type Habit =
  /** Asks for the name again once what it knows of it is old. */
  | 'by-name'
  /** Stays where it was served last, and asks again when it is refused, or after long. */
  | 'faithful'
  /** Tries them all. */
  | 'anywhere'

/** An application: it writes, and remembers what it was told. */
export const client = (site: Site, name: string, habit: Habit, next: () => number, told: (write: Acknowledged) =>
  void): Actor => {
  const { world, net, dns, machines, names } = site
  const own = actor(name)
  let known: { node: string; atMs: number } | undefined

  function* resolve(): Doing<string | undefined> {
    if (habit === 'anywhere') return world.random.pick(names)
    if (known !== undefined && world.now() - known.atMs < (habit === 'faithful' ? 12 * NAME_KEPT_MS
      : NAME_KEPT_MS)) return known.node
    const node = yield* net.call<string>(own, dns.actor, 1_000, (answer) => answer(dns.primary))
    if (node !== undefined) known = { node, atMs: world.now() }
    return node ?? known?.node
  }

  function* writes(): Doing<void> {
    for (;;) {
      yield* net.sleep(own, world.random.whole(100, 500))
      const node = yield* resolve()
      const machine = node === undefined ? undefined : machines.all.get(node)
      if (machine === undefined) continue
      const entry = next()
      const success = yield* net.call<boolean>(own, machine.server.actor, TIMEOUT_MS, (answer) => machines.write(machine,
        entry, answer))
      if (success === true) told({ entry, node: machine.name, atMs: world.now() })
      else if (success === false || habit !== 'faithful') known = undefined
    }
  }
  net.begin(own, writes())
  return own
}
