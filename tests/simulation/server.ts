import type { Network } from './network.ts'
import { type Actor, type World, actor } from './world.ts'

export type Role = 'primary' | 'replica'

/** One write, by its number. Two logs that agree at a position agree before it: a number is given out once. */
type Entry = number

/** Where a timeline ended: at so many entries another one went on. */
type Fork = { readonly timeline: number; readonly until: number }

/** What lies on the volume, and outlives every crash. */
export type Disk = {
  log: Entry[]
  timeline: number
  forks: readonly Fork[]
  /** What it begins as. */
  role: Role
  upstream: string | undefined
  /** It never begins as a primary with it. */
  mark: boolean
  /** Names of whom a commit waits for; none: for nobody. */
  synchronous: readonly string[]
}

type Attached = { position: number; repliedAtWall: number; connection: number; heardAtMs: number }
type Waiting = { readonly position: number; readonly answer: (success: true) => void }

/** A server's own part: what it has in memory only. */
export type Server = {
  readonly actor: Actor
  role: Role
  /** Waits at the gate until its lease is renewed. */
  gated: boolean
  readonly attached: Map<string, Attached>
  waiting: Waiting[]
  /** Of the stream that it receives now: what is still on its way in an earlier one never arrives. */
  connection: number
}

/** What a replica tells when it asks for more. */
export type Status = {
  readonly name: string
  readonly timeline: number
  readonly position: number
  readonly wall: number
  readonly connection: number
}

export const newServer = (machine: Actor): Server => {
  const own = actor(`${machine.name}/server`, { skewMs: machine.skewMs, drift: machine.drift, on: machine })
  own.alive = false
  return { actor: own, role: 'replica', gated: false, attached: new Map(), waiting: [], connection: 0 }
}

/** Whether it takes writes: it runs, as a primary, past its gate. */
export const takesWrites = (server: Server): boolean => server.actor.alive && server.role === 'primary' && !server.gated

/** At once, frozen or not. Nobody whose write it had not confirmed will ever hear of it. */
export const killServer = (server: Server): void => {
  server.actor.alive = false
  server.actor.paused = false
  server.actor.life += 1
  server.actor.backlog.length = 0
  server.attached.clear()
  server.waiting = []
  server.gated = false
}

/**
 * Whether a log of that timeline and length can go on with this one. As a real server sees it: by numbers of timelines and
 * by lengths, not by what is in it.
 */
export const canFollow = (primary: Disk, timeline: number, position: number): boolean => {
  if (timeline === primary.timeline) return position <= primary.log.length
  const fork = primary.forks.find((one) => one.timeline === timeline)
  return fork !== undefined && position <= fork.until
}

/** Whether one log begins with all of the other: what `canFollow` cannot see. */
export const beginsWith = (longer: readonly Entry[], shorter: readonly Entry[]): boolean =>
  shorter.length <= longer.length && (shorter.length === 0 || longer[shorter.length - 1] === shorter.at(-1))

/** The next timeline begins here. */
export const nextTimeline = (disk: Disk): void => {
  disk.forks = [...disk.forks, { timeline: disk.timeline, until: disk.log.length }]
  disk.timeline += 1
  disk.role = 'primary'
  disk.upstream = undefined
}

/** Whoever waited for a replica to have his write is told once one of them does. */
export const confirm = (server: Server, disk: Disk): void => {
  if (server.waiting.length === 0) return
  const reached = disk.synchronous.length === 0
    ? disk.log.length
    : Math.max(0, ...disk.synchronous.map((name) => server.attached.get(name)?.position ?? 0))
  const [done, left] = [
    server.waiting.filter(({ position }) => position <= reached),
    server.waiting.filter(({ position }) => position > reached),
  ]
  server.waiting = left
  for (const { answer } of done) answer(true)
}

type Party = { readonly name: string; readonly server: Server; readonly disk: Disk }

/** How entries get from a primary to a replica. */
export const streaming = (net: Network, world: World, partyOf: (name: string) => Party | undefined) => {
  const statusOf = ({ name, server, disk }: Party): Status => ({
    name, timeline: disk.timeline, position: disk.log.length, wall: world.wall(server.actor), connection: server.connection,
  })

  const feed = (primary: Party, replica: Party, begin: number, connection: number): void => {
    const { log, timeline, forks } = primary.disk
    const entries = log.slice(begin)
    if (entries.length === 0 && replica.disk.timeline === timeline) return
    net.send(primary.server.actor, replica.server.actor, () => {
      const { server, disk } = replica
      if (server.role !== 'replica' || disk.upstream !== primary.name || server.connection !== connection) return
      // What is there already of it comes again when an answer was lost.
      if (begin > disk.log.length) return
      disk.log.push(...entries.slice(disk.log.length - begin))
      disk.timeline = timeline
      disk.forks = forks
      report(replica)
    })
  }

  const hear = (primary: Party, replica: Party, { name, timeline, position, wall, connection }: Status): void => {
    const { server, disk } = primary
    if (!takesWrites(server) || !canFollow(disk, timeline, position)) return
    const before = server.attached.get(name)
    // One that is overtaken by a newer one says nothing new.
    if (before !== undefined && before.connection === connection && before.position > position) return
    server.attached.set(name, { position, repliedAtWall: wall, connection, heardAtMs: world.now() })
    confirm(server, disk)
    if (position < disk.log.length || timeline !== disk.timeline) feed(primary, replica, position, connection)
  }

  const report = (replica: Party): void => {
    const primary = replica.disk.upstream === undefined ? undefined : partyOf(replica.disk.upstream)
    if (primary === undefined || replica.server.role !== 'replica') return
    const status = statusOf(replica)
    net.send(replica.server.actor, primary.server.actor, () => hear(primary, replica, status))
  }

  return {
    report,
    /** A new entry goes to all that follow. */
    spread: (primary: Party): void => {
      for (const [name, { position, connection }] of primary.server.attached) {
        const replica = partyOf(name)
        if (replica !== undefined) feed(primary, replica, position, connection)
      }
    },
  }
}
