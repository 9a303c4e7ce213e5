import { broker } from './broker.ts'
import { type Breach, checks } from './checks.ts'
import { client } from './client.ts'
import { controller } from './controller.ts'
import { type Crew, calm, faults } from './faults.ts'
import { machines } from './machine.ts'
import { network } from './network.ts'
import { chance } from './random.ts'
import { runner } from './runner.ts'
import { type Wish, DATASTORE, deployed, instant } from './scene.ts'
import type { Site } from './site.ts'
import { type Mistakes, controllerStore, eventLog } from './stores.ts'
import { deployer } from './workers.ts'
import { type Actor, actor, world } from './world.ts'

export type Run = {
  readonly seed: number
  readonly wish: Wish & { readonly controllers: number; readonly runners: number; readonly changes: number }
  readonly breaches: readonly Breach[]
  readonly facts: Facts
}

export type Facts = {
  readonly failovers: number
  readonly acknowledged: number
  readonly lost: number
  /** The tenant's choice of availability left an old primary unfenced. */
  readonly chosen: boolean
  /** A failover took the place of another that had not come to its end. */
  readonly superseded: boolean
  /** When it was well again after the faults, in virtual milliseconds. */
  readonly wellAfterMs: number
}

const FAULTS_MS = 60_000
const WELL_WITHIN_MS = 5_400_000
const LOOK_EVERY_MS = 1_000

const wishOf = (seed: number): Run['wish'] => {
  const { whole, happens } = chance(seed ^ 0x2545f491)
  return {
    size: whole(2, 4),
    synchronous: happens(0.5),
    prefer: happens(0.7) ? 'consistency' : 'availability',
    controllers: whole(1, 3),
    runners: whole(1, 2),
    changes: happens(0.6) ? 0 : whole(1, 2),
  }
}

/**
 * Lets a datastore live through faults in virtual time.
 *
 * @param seed of everything that is left to chance: the same seed is the same run
 * @param options.trace gets each line of what happens
 */
export const simulate = (
  seed: number,
  { mistakes = {}, trace }: { readonly mistakes?: Mistakes; readonly trace?: (line: string) => void } = {},
): Run => {
  const wish = wishOf(seed)
  const space = world(seed, trace)
  space.trace(() => `seed ${seed}: ${JSON.stringify(wish)}`)
  const { site, crew, seen } = settled(space, wish, mistakes)
  faults(site, crew, FAULTS_MS)
  changes(site, crew, wish.changes)
  space.run(FAULTS_MS, () => seen.breaches.length > 0)
  let wellAfterMs = 0
  if (seen.breaches.length === 0) {
    space.trace(() => 'the faults are over')
    calm(site, crew)
    const before = space.now()
    let wellSince: number | undefined
    while (seen.breaches.length === 0) {
      space.run(space.now() + LOOK_EVERY_MS, () => seen.breaches.length > 0)
      const ill = seen.unwell()
      if (ill !== undefined) wellSince = undefined
      else if (wellSince === undefined) wellSince = space.now()
      else if (space.now() - wellSince >= 8 * LOOK_EVERY_MS) break
      if (space.now() - before > WELL_WITHIN_MS) {
        seen.breaches.push({ rule: 'it is well in the end', atMs: space.now(), says: ill ?? 'it does not stay well' })
      }
    }
    wellAfterMs = (wellSince ?? space.now()) - before
    seen.decided()
  }
  const lost = seen.kept(wish.synchronous)
  const failovers = site.log.history.filter(({ type, data }) => type === 'JobAdmitted' && 'kind' in data &&
    data.kind === 'fail-over').length
  const superseded = site.log.history.some(({ type }) => type === 'JobAbandonmentAsked')
  const acknowledged = seen.acknowledged.length
  const facts = { failovers, acknowledged, lost, chosen: seen.isChosen(), superseded, wellAfterMs }
  return { seed, wish, breaches: seen.breaches, facts }
}

const settled = (space: ReturnType<typeof world>, wish: Run['wish'], mistakes: Mistakes) => {
  const net = network(space)
  const names = Array.from({ length: wish.size }, (_, index) => `nod_${index + 1}`)
  const [first = ''] = names
  const log = eventLog(space, net, mistakes)
  deployed(log, wish)
  const seen = checks(() => site)
  const site: Site = {
    world: space, net, log, broker: broker(space, net), db: controllerStore(space, names, first),
    machines: machines(space, net, seen), cloud: actor('cloud'), cloudFails: { of: 0 },
    dns: { actor: actor('dns'), primary: first }, names, synchronous: wish.synchronous, prefer: wish.prefer,
      isChanged: wish.changes > 0, mistakes,
  }
  log.readers.push(() => seen.noticed(wish.size))
  const { random } = space
  // Wall clocks of servers may be far off; those of the staff are kept in step, and no clock runs wrong by more than 200 ppm.
  const drift = (): number => (random.next() - 0.5) * 0.0004
  for (const name of names) {
    const machine = site.machines.add(name, { skewMs: random.whole(-30_000, 30_000), drift: drift() })
    machine.disk.role = name === first ? 'primary' : 'replica'
    machine.disk.upstream = name === first ? undefined : first
    machine.disk.synchronous = wish.synchronous && name === first ? names.slice(1) : []
    site.machines.start(machine)
  }
  const lives = new Map<Actor, () => void>()
  const clocks = () => ({ skewMs: random.whole(-500, 500), drift: drift() })
  const controllers = Array.from({ length: wish.controllers }, (_, index) => {
    const one = controller(site, `controller-${index + 1}`, clocks())
    lives.set(one.actor, one.live)
    return one.actor
  })
  const runners = Array.from({ length: wish.runners }, (_, index) => {
    const one = runner(site, `runner-${index + 1}`, clocks())
    lives.set(one.actor, one.live)
    return one.actor
  })
  let entries = 0
  for (const habit of ['by-name', 'faithful', 'anywhere'] as const) client(site, `client ${habit}`, habit, () =>
    ++entries, seen.told)
  const crew: Crew = { controllers, runners, deployer: deployer(site), revive: (one) => lives.get(one)?.() }
  return { site, crew, seen }
}

/** A tenant changes this and that meanwhile. */
const changes = ({ world: space, log, db, names }: Site, { runners }: Crew, count: number): void => {
  const { random } = space
  for (let n = 0; n < count; n++) {
    space.at(random.whole(1_000, FAULTS_MS), () => {
      const [one] = runners
      const others = names.filter((name) => name !== db.cluster.primaryId)
      const nodeId = random.pick(others)
      const change = random.happens(0.6) ? ({ kind: 'promote-replica', nodeId } as const) : ({ kind: 'reboot-node',
        nodeId: random.pick(names) } as const)
      if (one === undefined) return
      log.asked({ type: 'ChangeDatastore', data: { datastoreId: DATASTORE, jobId: `change-${n}`, change,
        now: instant(space.now()) } })
    })
  }
}
