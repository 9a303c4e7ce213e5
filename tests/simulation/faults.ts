import type { Site } from './site.ts'
import type { Actor } from './world.ts'

export type Crew = {
  readonly controllers: readonly Actor[]
  readonly runners: readonly Actor[]
  readonly deployer: Actor
  /** Begins an actor's life anew. */
  readonly revive: (actor: Actor) => void
}

/** Whatever is not a machine of the datastore. */
const staffOf = ({ db, log, broker, cloud, dns }: Site, crew: Crew): readonly Actor[] =>
  [...crew.controllers, ...crew.runners, crew.deployer, db.actor, log.actor, broker.actor, cloud, dns.actor]

/** Lets things go wrong until `untilMs`: at any point, for any time, one beside the other. */
export const faults = (site: Site, crew: Crew, untilMs: number): void => {
  const { world, net, machines } = site
  const { random } = world
  const nodes = [...machines.all.values()]
  const staff = staffOf(site, crew)

  const pause = (actor: Actor, forMs: number): void => {
    if (actor.paused || !world.lives(actor)) return
    const { life } = actor
    actor.paused = true
    world.trace(() => `${actor.name} stands still for ${forMs} ms`)
    world.at(forMs, () => {
      if (actor.life !== life || !actor.paused) return
      actor.paused = false
      world.trace(() => `${actor.name} goes on`)
      world.goOn(actor)
      for (const machine of nodes) if (machine.server.actor.on === actor) world.goOn(machine.server.actor)
    })
  }

  const crash = (actor: Actor, forMs: number): void => {
    if (!actor.alive) return
    world.trace(() => `${actor.name} dies`)
    actor.alive = false
    actor.paused = false
    actor.life += 1
    actor.backlog.length = 0
    world.at(forMs, () => {
      world.trace(() => `${actor.name} is there again`)
      actor.alive = true
      crew.revive(actor)
    })
  }

  const cut = (link: string, forMs: number): void => {
    world.trace(() => `the link ${link} is cut for ${forMs} ms`)
    net.cut(link)
    world.at(forMs, () => {
      world.trace(() => `the link ${link} is mended`)
      net.heal(link)
    })
  }

  const longMs = (): number => random.pick([random.whole(300, 3_000), random.whole(2_000, 12_000), random.whole(10_000,
    60_000)])
  /** Mostly the one that matters. */
  const node = () => {
    const primary = nodes.find(({ name }) => name === site.db.cluster.primaryId)
    return primary !== undefined && random.happens(0.6) ? primary : random.pick(nodes)
  }

  const kinds: readonly (() => void)[] = [
    () => machines.stop(node(), 'its processes are killed'),
    () => pause(node().server.actor, longMs()),
    () => pause(node().actor, longMs()),
    () => {
      const one = node()
      machines.off(one, 'its power fails')
      // A planned change that is past its undoing waits for every node of it, and what would boot one waits behind that change.
      if (site.isChanged) world.at(60_000, () => machines.boot(one))
    },
    () => {
      const one = node()
      machines.off(one, 'it crashes')
      world.at(random.whole(1_000, 30_000), () => machines.boot(one))
    },
    () => {
      const [{ name }, forMs] = [node(), longMs()]
      const way = random.whole(0, 2)
      if (way !== 0) cut(`${name}>*`, forMs)
      if (way !== 1) cut(`*>${name}`, forMs)
    },
    // Two nodes that do not hear each other, or one that does not hear the other.
    () => {
      const [one, other, forMs] = [node(), random.pick(nodes), longMs()]
      cut(`${one.name}>${other.name}`, forMs)
      if (random.happens(0.6)) cut(`${other.name}>${one.name}`, forMs)
    },
    // A node that the staff, or a part of it, does not reach, while its clients do.
    () => {
      const [{ name }, forMs] = [node(), longMs()]
      for (const one of staff) {
        if (one === site.dns.actor || random.happens(0.2)) continue
        cut(`${one.name}>${name}`, forMs)
        if (random.happens(0.8)) cut(`${name}>${one.name}`, forMs)
      }
    },
    () => {
      const [one, other, forMs] = [random.pick(staff), random.pick(staff), longMs()]
      cut(`${one.name}>${other.name}`, forMs)
      cut(`${other.name}>${one.name}`, forMs)
    },
    () => pause(random.pick([...crew.controllers, ...crew.runners]), longMs()),
    () => crash(random.pick([...crew.controllers, ...crew.runners, crew.deployer]), random.whole(500, 20_000)),
    () => pause(random.pick([site.db.actor, site.log.actor, site.broker.actor]), random.whole(500, 8_000)),
    () => {
      site.cloudFails.of = random.pick([0, 0.5, 1])
    },
    () => {
      Object.assign(net.weather, random.pick([
        { loss: 0, twice: 0, late: 0 },
        { loss: 0.02, twice: 0.05, late: 0.01 },
        { loss: 0.15, twice: 0.2, late: 0.05 },
      ]))
    },
  ]

  const next = (): void => {
    if (world.now() >= untilMs) return
    random.pick(kinds)()
    // Often one soon after the other: it is then that things go wrong.
    world.at(random.happens(0.5) ? random.whole(1, 4_000) : random.whole(3_000, 20_000), next)
  }
  world.at(random.whole(2_000, 6_000), next)
}

/** The faults are over: links are mended, what stood still goes on, machines that lie off are booted as a person would. */
export const calm = (site: Site, crew: Crew): void => {
  const { world, net, machines } = site
  net.healAll()
  Object.assign(net.weather, { loss: 0, twice: 0, late: 0 })
  site.cloudFails.of = 0
  const servers = [...machines.all.values()].flatMap(({ actor, server }) => [actor, server.actor])
  for (const actor of [...servers, ...staffOf(site, crew)]) {
    actor.paused = false
    world.goOn(actor)
  }
  for (const actor of [...crew.controllers, ...crew.runners, crew.deployer]) {
    if (actor.alive) continue
    actor.alive = true
    crew.revive(actor)
  }
}
