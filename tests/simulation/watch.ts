import { leaseUntil } from '../../domain/failover/lease.ts'
import { LIMITS } from '../../domain/failover/limits.ts'
import { heard, initialMonitor, looked } from '../../domain/failover/monitor.ts'
import type { Action, Heard, Known, LookResult, Monitor } from '../../domain/failover/watched.ts'
import type { Observation } from '../../infra/messaging/observation.ts'
import { type Came, asked, exclusively, on } from './commands.ts'
import { ENTRY_BYTES } from './election.ts'
import type { Look } from './look.ts'
import { TTL_MS } from './machine.ts'
import type { Doing } from './network.ts'
import { DATASTORE, instant } from './scene.ts'
import type { Site } from './site.ts'
import { toldLost, toldWell } from './stand.ts'
import type { Actor } from './world.ts'

type Row = { readonly epoch: number; readonly known: Known; readonly leased: ReadonlyMap<string, readonly string[]> }

/** The watch of the datastore: looks come in, the real monitor says what is to be done, and here it is done. */
export const watch = (site: Site, own: Actor, isOwner: () => boolean): void => {
  const { world, net, names } = site
  let monitor: Monitor = initialMonitor
  let row: Row | undefined
  let ownedBefore = false
  const last = new Map<string, Look>()
  const nowMs = (): number => world.monotonic(own)

  const known = ({ known: one }: Row): Known => ({ ...one, owned: isOwner() })

  const moved = (now: Row, came: { readonly monitor: Monitor; readonly actions: readonly Action[] }): void => {
    monitor = came.monitor
    for (const action of came.actions) net.begin(own, act(now, action))
  }

  function* look(name: string): Doing<void> {
    const beganAtMs = nowMs()
    const seen = yield* lookAt(site, own, name)
    if (row === undefined || !isOwner()) return
    if (seen !== undefined) last.set(name, seen)
    moved(row, looked(monitor, known(row), nowMs(), [{ nodeId: name, beganAtMs, result: resultOf(site, name, seen) }]))
  }

  function* rounds(): Doing<void> {
    for (;;) {
      const isMine = isOwner()
      if (isMine && !ownedBefore) monitor = initialMonitor
      ownedBefore = isMine
      if (isMine) {
        row = (yield* read(site, own)) ?? row
        for (const name of names) net.begin(own, look(name))
      } else row = undefined
      yield* net.sleep(own, LIMITS.intervalMs)
    }
  }

  function* act(now: Row, action: Action): Doing<void> {
    const tell = (what: Told): Doing<void> => observed(site, own, what)
    switch (action.type) {
      case 'look':
        if (action.afterMs > 0) yield* net.sleep(own, action.afterMs)
        return yield* look(action.nodeId)
      case 'ask-replicas': {
        const askedAtMs = nowMs()
        const answers = yield* net.beside(own, action.replicas.map((name) => hears(site, own, name, action.primaryId)))
        if (row === undefined || row.known.primaryId !== action.primaryId) return
        return moved(row, heard(monitor, known(row), { askedAtMs, atMs: nowMs() }, answers))
      }
      case 'restart-in-place':
        return yield* restart(site, own, action.nodeId, isOwner)
      case 'fence':
        return yield* fenceAgain(site, own, action.nodeId, isOwner)
      case 'renew-lease': {
        const seen = last.get(action.nodeId)
        return seen === undefined ? undefined : yield* renew(site, own, now, action.nodeId, { look: seen, isOwner })
      }
      case 'tell-unreachable':
        yield* asked(site, own, () => toldLost(site.db, action.primaryId))
        return yield* tell({
          kind: 'primary-unreachable', primaryId: action.primaryId, epoch: now.epoch, because: action.because,
          lastSeenAt: wallOf(action.lastSeenAtMs), positionBytes: action.positionBytes,
        })
      case 'tell-silent':
        yield* asked(site, own, () => toldLost(site.db, action.nodeId))
        return yield* tell({
          kind: 'node-silent', nodeId: action.nodeId, since: wallOf(action.sinceMs), machineAnswers: action.machineAnswers,
        })
      case 'tell-back':
        yield* asked(site, own, () => toldLost(site.db, action.nodeId))
        return yield* tell({ kind: 'node-back', nodeId: action.nodeId })
      case 'tell-well':
        yield* tell({ kind: 'node-well', nodeId: action.nodeId })
        yield* asked(site, own, () => toldWell(site.db, action.nodeId))
        return
      case 'tell-restarted':
        return yield* tell({
          kind: 'server-restarted', nodeId: action.nodeId, role: action.role,
          downSince: wallOf(action.downSinceMs), backAt: wallOf(action.backAtMs),
        })
    }
  }

  /** An instant of the monotonic clock, by the wall clock. */
  const wallOf = (atMs: number): string => instant(Math.round(world.wall(own) - (nowMs() - atMs)))

  net.begin(own, rounds())
}

function* read(site: Site, own: Actor): Doing<Row | undefined> {
  const { db, names } = site
  return yield* asked<Row>(site, own, () => ({
    epoch: db.cluster.epoch,
    leased: new Map(names.flatMap((name) => {
      const host = db.hosts.get(name)
      return host?.leaseTtlMs === TTL_MS ? [[name, host.leaseNames] as const] : []
    })),
    known: {
      owned: true,
      primaryId: db.cluster.primaryId,
      nodes: names.map((name) => ({
        nodeId: name, name, shutDown: db.hosts.get(name)?.shutDown === true,
        fenced: (db.hosts.get(name)?.fencedEpoch ?? null) !== null, lastSeenAtMs: 0, positionBytes: null,
        toldLost: (db.hosts.get(name)?.lostSince ?? null) !== null,
      })),
    },
  }))
}

/** A server that says nothing is told from a machine that says nothing: the machine answers for it. */
function* lookAt({ world, net, machines }: Site, own: Actor, name: string): Doing<Look | undefined> {
  const machine = machines.all.get(name)
  if (machine === undefined) return undefined
  return yield* net.call<Look>(own, machine.actor, LIMITS.lookTimeoutMs, (answer) => {
    machines.look(machine, answer)
    world.timer(machine.actor, LIMITS.lookTimeoutMs / 2, () => answer(machines.mute(machine)))
  })
}

const resultOf = ({ machines }: Site, name: string, seen: Look | undefined): LookResult => {
  if (seen === undefined) return { kind: 'silent' }
  if (seen.role === 'mute') return { kind: 'server-down', server: 'refuses' }
  if (seen.role === 'down') {
    return { kind: 'server-down', server: machines.all.get(name)?.server.gated === true ? 'waits-for-lease' : 'ended' }
  }
  return { kind: 'answered', role: seen.role, positionBytes: seen.position * ENTRY_BYTES, streaming: seen.replicas }
}

type Told = Observation extends infer One ? (One extends Observation ? Omit<One,
  'datastoreId' | 'ownerId' | 'at'> : never) : never

function* observed({ world, broker }: Site, own: Actor, told: Told): Doing<void> {
  const at = instant(Math.round(world.wall(own)))
  const observation: Observation = { datastoreId: DATASTORE, ownerId: 'own_1', at, ...told }
  const what = told.kind === 'primary-unreachable' ? `${told.primaryId}/${told.epoch}` : 'nodeId' in told ? told.nodeId : ''
  world.trace(() => `${own.name} tells ${told.kind} ${what}`)
  yield* broker.publish(own, 'observations', `${told.kind}/${at}/${what}`, observation)
}

/** Asked on a replica's machine: whether the primary answers there, and how much has come from it. */
function* hears({ net, machines }: Site, own: Actor, name: string, primaryId: string): Doing<Heard> {
  const [replica, primary] = [machines.all.get(name), machines.all.get(primaryId)]
  if (replica === undefined || primary === undefined) return { nodeId: name, said: undefined }
  const said = yield* net.call<{ answers: boolean; receivedBytes: number }>(own, replica.actor, 1_500, (answer) => {
    if (!replica.server.actor.alive) return
    const asks = net.call<true>(replica.actor, primary.server.actor, LIMITS.lookTimeoutMs, (yes) => yes(true))
    net.begin(replica.actor, asks, (came) => answer({ answers: came === true,
      receivedBytes: replica.disk.log.length * ENTRY_BYTES }))
  })
  return { nodeId: name, said }
}

/** A dead server is started where it is, unless it is fenced or to be down. */
function* restart(site: Site, own: Actor, name: string, isOwner: () => boolean): Doing<void> {
  const { db, machines } = site
  const machine = machines.all.get(name)
  if (machine === undefined) return
  yield* exclusively(site, own, name, function* (): Doing<Came> {
    const host = yield* asked(site, own, () => ({ ...db.hosts.get(name) }))
    if (host === undefined || host.fencedEpoch !== null || host.shutDown === true || !isOwner()) return { result: {} }
    // A primary that ended itself, and that nobody has taken the place of, is let begin again.
    const leads = yield* asked(site, own, () => ({ ...db.cluster }))
    const isLeader = leads?.primaryId === name
    const others = site.synchronous ? site.names.filter((one) => one !== name) : []
    yield* on<true>(site, own, machine, (answer) => {
      if (isLeader && machine.disk.mark) machines.unfence(machine)
      // Nobody has promoted it who was to.
      else if (isLeader && machine.server.actor.alive && machine.server.role === 'replica') {
        machines.promote(machine, others, leads.promotedEpoch)
      } else machines.start(machine)
      answer(true)
    })
    return { result: {} }
  })
}

/** One that takes writes while another is the primary. */
function* fenceAgain(site: Site, own: Actor, name: string, isOwner: () => boolean): Doing<void> {
  const { db, machines } = site
  const machine = machines.all.get(name)
  const stands = yield* asked(site, own, () => ({ ...db.cluster, fenced: (db.hosts.get(name)?.fencedEpoch ?? null) !== null }))
  if (machine === undefined || stands === undefined || stands.primaryId === name || !isOwner()) return
  yield* on<true>(site, own, machine, (answer) => answer((machines.fence(machine), true)))
}

type Renewing = { readonly look: Look; readonly isOwner: () => boolean }

/** The primary may go on: unless it is fenced, which is asked after the answer that the lease counts from. */
function* renew(site: Site, own: Actor, { epoch, leased, known }: Row, name: string, { look, isOwner }: Renewing): Doing<void> {
  const { db, machines, names } = site
  const machine = machines.all.get(name)
  if (machine === undefined) return
  const may = yield* asked(site, own, () => db.hosts.get(name)?.fencedEpoch === null && db.cluster.primaryId === name)
  if (may !== true) return
  const until = leaseUntil(look.uptimeMs, { ttlMs: TTL_MS })
  // A lease names all that may be promoted in its place.
  const fencedOnes = new Set(known.nodes.flatMap((one) => (one.fenced ? [one.name] : [])))
  const lease = { epoch, boot: look.boot, until, replicas: names.filter((one) => one !== name && !fencedOnes.has(one)) }
  const isKept = leased.get(name)?.toSorted().join() === lease.replicas.toSorted().join()
  if (!isKept) {
    const isTold = yield* asked(site, own, () => {
      const host = db.hosts.get(name)
      if (host !== undefined) host.leaseNames = host.leaseNames.filter((one) => lease.replicas.includes(one))
      return true
    })
    if (isTold !== true || !isOwner()) return
  }
  const done = yield* on<true>(site, own, machine, (answer) => answer((machines.renew(machine, lease), true)))
  if (done !== true || isKept || !isOwner()) return
  yield* asked(site, own, () => Object.assign(db.hosts.get(name) ?? {}, { leaseTtlMs: TTL_MS, leaseNames: lease.replicas }))
}
