import { type Held, leftMs } from '../../domain/failover/lease.ts'
import type { Network } from './network.ts'
import type { Lease, Look } from './look.ts'
import {
  type Disk, type Server, beginsWith, canFollow, confirm, killServer, newServer, nextTimeline, streaming,
    takesWrites,
} from './server.ts'
import { type Actor, type World, actor } from './world.ts'

export type Machine = {
  readonly name: string
  readonly actor: Actor
  readonly server: Server
  readonly disk: Disk
  boot: number
  bootedAt: number
  /** Its units start by themselves at the next boot. */
  enabled: boolean
  lease: Lease | undefined
  readonly heard: { readonly last: Map<string, number>; readonly from: Map<string, number>; lastAtMs: number }
  guarded: boolean
  /** Gone for good, with all that was on it. */
  lost: boolean
}

export const GUARD_LOOK_MS = 300
export const TTL_MS = 6_000
/** So near the end of its lease a primary looks whether its replicas are there. */
const NEAR_MS = 2_500
const STATUS_MS = 1_000
/** A replica that has not been heard for so long does not stream. */
const APART_MS = 3_000

/** Tells the checks what a server did that matters. */
export type Watched = {
  readonly promoted: (machine: Machine, epoch: number) => void
  readonly confirmed: (machine: Machine, entry: number) => void
}

export type Machines = ReturnType<typeof machines>

/** The machines with their volumes, servers and guards, and what can be done on each of them. */
export const machines = (world: World, net: Network, watched: Watched) => {
  const all = new Map<string, Machine>()
  const stream = streaming(net, world, (name) => all.get(name))
  const uptime = (machine: Machine): number => (world.now() - machine.bootedAt) * (1 + machine.actor.drift)

  const isLeased = ({ lease, boot }: Machine, now: number): boolean =>
    lease === undefined || (lease.boot === boot && lease.until > now)

  const start = (machine: Machine): boolean => {
    const { server, disk } = machine
    if (server.actor.alive) return true
    server.actor.alive = true
    // Whoever starts it: with the mark it takes no writes.
    server.role = disk.mark ? 'replica' : disk.role
    server.gated = server.role === 'primary' && !isLeased(machine, uptime(machine))
    server.connection += 1
    world.trace(() =>
      `${machine.name} starts as ${server.role}, mark ${disk.mark}, gated ${server.gated}, ${disk.log.length} entries`)
    if (server.role === 'replica') reportOften(machine)
    return true
  }

  const reportOften = (machine: Machine): void => {
    const { server } = machine
    if (server.role === 'replica') stream.report(machine)
    world.timer(server.actor, STATUS_MS, () => {
      if (server.role === 'replica') reportOften(machine)
    })
  }

  const stop = (machine: Machine, why: string): void => {
    if (machine.server.actor.alive) world.trace(() => `${machine.name} is stopped: ${why}`)
    killServer(machine.server)
  }

  /** When each replica was certainly heard: not later than the look before the one that found another reply of it. */
  const hear = ({ server, lease, heard }: Machine, now: number): void => {
    for (const name of lease?.replicas ?? []) {
      const reply = server.attached.get(name)?.repliedAtWall
      const before = heard.last.get(name)
      if (reply !== undefined && before !== undefined && reply !== before) heard.from.set(name, heard.lastAtMs)
      if (reply === undefined) heard.from.delete(name)
      else heard.last.set(name, reply)
    }
    heard.lastAtMs = now
  }

  const heldBy = ({ lease, boot, heard }: Machine): Held => {
    const froms = (lease?.replicas ?? []).map((name) => heard.from.get(name))
    const untilMs = lease?.boot === boot ? lease.until : 0
    return froms.some((from) => from === undefined) ? { untilMs } : { untilMs, heardMs: Math.min(...froms.map((from) =>
      from ?? 0)) }
  }

  /** Looks at the lease again and again: an isolated primary stops itself, unless all its replicas are with it. */
  const guard = (machine: Machine): void => {
    const { server, disk, lease, heard } = machine
    const now = uptime(machine)
    let pauseMs = GUARD_LOOK_MS
    const own = heldBy(machine)
    if (lease === undefined || own.untilMs - now > NEAR_MS) {
      heard.from.clear()
      heard.last.clear()
    } else if (takesWrites(server)) {
      const left = leftMs(own, now)
      if (left <= 0) {
        disk.mark = true
        stop(machine, 'its lease has run out')
      } else {
        // A server that stands still tells its guard nothing.
        if (!server.actor.paused) hear(machine, now)
        pauseMs = Math.min(GUARD_LOOK_MS, left)
      }
    }
    world.timer(machine.actor, Math.max(pauseMs, 1), () => guard(machine))
  }

  const boot = (machine: Machine): void => {
    if (machine.actor.alive) return
    machine.actor.alive = true
    machine.boot += 1
    machine.bootedAt = world.now()
    world.trace(() => `${machine.name} boots${machine.enabled ? '' : ', starts nothing'}`)
    if (machine.guarded) guard(machine)
    if (machine.enabled) start(machine)
  }

  const off = (machine: Machine, why: string): void => {
    if (!machine.actor.alive) return
    world.trace(() => `${machine.name} is off: ${why}`)
    machine.actor.alive = false
    machine.actor.paused = false
    machine.actor.life += 1
    machine.actor.backlog.length = 0
    killServer(machine.server)
  }

  /** What the server says of itself; asked on its machine. A frozen one says nothing. */
  const look = (machine: Machine, answer: (look: Look) => void): void => {
    const { server, disk } = machine
    const say = (role: Look['role'], streams: boolean): void =>
      answer({
        role, streams, position: disk.log.length, timeline: disk.timeline, uptimeMs: uptime(machine), boot: machine.boot,
        follows: disk.upstream, replicas: [...server.attached].flatMap(([name, { heardAtMs }]) =>
          (world.now() - heardAtMs < APART_MS ? [name] : [])),
      })
    if (!server.actor.alive || server.gated) return say('down', false)
    net.send(machine.actor, server.actor, () => {
      const upstream = disk.upstream === undefined ? undefined : all.get(disk.upstream)
      const streams = upstream?.server.attached.get(machine.name)?.connection === server.connection
      net.send(server.actor, machine.actor, () => say(server.role, streams))
    })
  }

  const mute = ({ disk, boot, server, ...machine }: Machine): Look => ({
    role: server.actor.alive ? 'mute' : 'down', streams: false, position: disk.log.length, timeline: disk.timeline,
    uptimeMs: (world.now() - machine.bootedAt) * (1 + machine.actor.drift), boot, follows: disk.upstream, replicas: [],
  })

  const follow = (machine: Machine, primary: string): void => {
    if (machine.disk.upstream === primary) return
    machine.disk.upstream = primary
    machine.server.connection += 1
    if (machine.server.actor.alive) stream.report(machine)
  }

  return {
    all,
    look,
    mute,
    start,
    stop,
    boot,
    off,
    follow,
    uptime,

    add: (name: string, clocks: { skewMs: number; drift: number }): Machine => {
      const own = actor(name, clocks)
      const disk: Disk = {
        log: [], timeline: 1, forks: [], role: 'replica', upstream: undefined, mark: false, synchronous: [],
      }
      const machine: Machine = {
        name, actor: own, server: newServer(own), disk, boot: 1, bootedAt: 0, enabled: true, lease: undefined, guarded: false,
        heard: { last: new Map(), from: new Map(), lastAtMs: 0 },
        lost: false,
      }
      all.set(name, machine)
      return machine
    },

    /** A client's write, asked of the server. It answers when the write is safe as far as it promises; or never. */
    write: (machine: Machine, entry: number, answer: (success: boolean) => void): void => {
      const { server, disk } = machine
      if (!takesWrites(server)) return answer(false)
      disk.log.push(entry)
      const position = disk.log.length
      server.waiting.push({
        position,
        answer: () => {
          watched.confirmed(machine, entry)
          answer(true)
        },
      })
      stream.spread(machine)
      confirm(server, disk)
    },

    /** Stops receiving from anybody, then says how much there is. */
    standing: (machine: Machine): { position: number; timeline: number } => {
      machine.disk.upstream = undefined
      machine.server.connection += 1
      return { position: machine.disk.log.length, timeline: machine.disk.timeline }
    },

    /** @returns false when there is no replica here to promote */
    promote: (machine: Machine, synchronous: readonly string[], epoch: number): boolean => {
      const { server, disk } = machine
      if (!server.actor.alive || disk.mark) return false
      if (server.role === 'primary') return true
      // The one that it had as a primary before would end it at once.
      machine.lease = undefined
      nextTimeline(disk)
      disk.synchronous = synchronous
      server.role = 'primary'
      world.trace(() => `${machine.name} is promoted, with ${disk.log.length} entries, on timeline ${disk.timeline}`)
      watched.promoted(machine, epoch)
      return true
    },

    fence: (machine: Machine): void => {
      machine.disk.mark = true
      stop(machine, 'it is fenced')
    },

    unfence: (machine: Machine): void => {
      if (machine.disk.mark && machine.disk.role === 'primary' && machine.server.role === 'replica') stop(machine,
        'its fence is lifted')
      machine.disk.mark = false
      machine.enabled = true
      start(machine)
    },

    /** From the previous answer's uptime on: what was decided then, however late it arrives. */
    renew: (machine: Machine, lease: Lease): void => {
      const { server } = machine
      if (lease.boot !== machine.boot) return
      machine.lease = machine.lease?.boot === lease.boot && machine.lease.until > lease.until ? machine.lease : lease
      if (!machine.guarded) {
        machine.guarded = true
        guard(machine)
      }
      if (server.gated && isLeased(machine, uptime(machine)) && !machine.disk.mark) {
        server.gated = false
        world.trace(() => `${machine.name} passes its gate`)
      }
    },

    /** Makes a streaming replica of whatever is there. */
    rejoin: (machine: Machine, primary: Machine): 'as-it-was' | 'rewound' => {
      const { disk } = machine
      const wasPrimary = disk.role === 'primary'
      const fits = canFollow(primary.disk, disk.timeline, disk.log.length) && !(wasPrimary &&
        disk.timeline === primary.disk.timeline)
      stop(machine, 'it is to follow')
      if (!fits) {
        disk.log = [...primary.disk.log]
        disk.timeline = primary.disk.timeline
        disk.forks = primary.disk.forks
      }
      disk.role = 'replica'
      disk.mark = false
      disk.upstream = primary.name
      machine.lease = undefined
      machine.enabled = true
      start(machine)
      return fits ? 'as-it-was' : 'rewound'
    },

    /** Whether it has what its primary has, and nothing else. */
    agrees: (machine: Machine, primary: Machine): boolean => beginsWith(primary.disk.log, machine.disk.log),
  }
}
