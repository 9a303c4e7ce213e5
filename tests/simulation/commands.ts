import { runsOutAt } from '../../domain/failover/lease.ts'
import type { Standing } from '../../infra/controller-store/controller-store.ts'
import { guarded } from '../../infra/controller/guard.ts'
import { Failure } from '../../infra/messaging/worker.ts'
import type { FencedBy, Order, OrderResult, PlacedOrder } from '../../domain/job/orders.ts'
import type { Doing } from './network.ts'
import { claimPromotion, lostFor, rejoined, takeFenceBack, writeFence } from './stand.ts'
import { instant } from './scene.ts'
import type { Machine } from './machine.ts'
import { elect } from './election.ts'
import type { Site } from './site.ts'
import type { Actor } from './world.ts'

export type Came = { readonly result: OrderResult } | { readonly because: string; readonly final: boolean }

export const VERB_MS = 3_000
const DB_MS = 1_500
const NO_CONTACT = 'no contact'
const LOCK_MS = 8_000
/** As in infra/controller/fence.ts. */
const HEAD_START_MS = 700
const LAST_WORD_MS = 1_000

const did = (result: OrderResult = {}): Came => ({ result })
const failed = (because: string, final = false): Came => ({ because, final })

/** Does something in CMON DB, at one instant. */
export function* asked<T>({ net, db }: Site, own: Actor, work: () => T): Doing<T | undefined> {
  return yield* net.call<T>(own, db.actor, DB_MS, (answer) => answer(work()))
}

/** Does something on a machine. */
export function* on<T>({ net }: Site, own: Actor, machine: Machine, work: (answer: (value: T) => void) =>
  void): Doing<T | undefined> {
  return yield* net.call<T>(own, machine.actor, VERB_MS, work)
}

/** While nobody else works on the node; who cannot vouch for that any more goes no further. */
export function* exclusively(site: Site, own: Actor, nodeId: string, work: () => Doing<Came>): Doing<Came> {
  const { world, db } = site
  const holder = `${own.name}/${own.life}/${world.now()}`
  const got = yield* asked(site, own, () => {
    const held = db.locks.get(nodeId)
    if (held !== undefined && held.until > db.now()) return false
    db.locks.set(nodeId, { holder, until: db.now() + LOCK_MS + 2_000 })
    return true
  })
  if (got !== true) return failed('somebody else works on the node')
  const came = yield* work()
  yield* asked(site, own, () => {
    if (db.locks.get(nodeId)?.holder === holder) db.locks.delete(nodeId)
  })
  return came
}

/**
 * Carries an order of the controller out, past the real guard of late orders. What came of it is not known when the
 * worker dies.
 */
export function* carryOut(site: Site, own: Actor, placed: PlacedOrder): Doing<Came> {
  const standing = yield* asked<Standing>(site, own, () => ({
    epoch: site.db.cluster.epoch,
    primaryId: site.db.cluster.primaryId,
    fenced: Object.fromEntries([...site.db.hosts].flatMap(([name, { fencedEpoch }]) =>
      (fencedEpoch === null ? [] : [[name, fencedEpoch]]))),
  }))
  if (standing === undefined) return failed('CMON DB does not answer')
  try {
    const what = guarded(standing, placed.order)
    return 'left' in what ? did() : yield* carryOutGuarded(site, own, { ...placed, order: what.order }, standing)
  } catch (refused) {
    if (refused instanceof Failure) return failed(refused.because, refused.final)
    throw refused
  }
}

function* carryOutGuarded(site: Site, own: Actor, { order, notAfter }: PlacedOrder, standing: Standing): Doing<Came> {
  const { machines } = site
  if (!('cluster' in order.body)) return did()
  const epoch = order.body.cluster.epoch ?? 0
  const nodeId = 'nodeId' in order.body ? order.body.nodeId : undefined
  const machine = nodeId === undefined ? undefined : machines.all.get(nodeId)
  switch (order.subject) {
    case 'cmon.check-cluster': {
      const { primaryId, cluster } = order.body
      const lost = yield* asked(site, own, () => lostFor(site.db))
      if (lost === undefined) return failed('CMON DB does not answer')
      const names = cluster.nodes.map((node) => node.nodeId).filter((name) => name === primaryId || !lost.has(name))
      return yield* check(site, own, primaryId, names)
    }
    case 'cmon.elect-primary':
      return standing.epoch > epoch ? failed('a newer decision goes before', true) : yield* elect(site, own, order.body)
    default:
      break
  }
  if (machine === undefined) return did()
  switch (order.subject) {
    case 'cmon.fence-node':
      return yield* fence(site, own, machine, { epoch, prefer: order.body.prefer, leftMs: leftMs(site, own, notAfter) })
    case 'cmon.unfence-node':
      return yield* unfence(site, own, machine, epoch)
    case 'cmon.promote-replica':
      return yield* promote(site, own, machine, { epoch, positionBytes: order.body.positionBytes })
    case 'cmon.rejoin-node': {
      const primary = machines.all.get(order.body.primaryId)
      if (primary === undefined || primary === machine) return did()
      return yield* exclusively(site, own, machine.name, () => rejoin(site, own, machine, primary))
    }
    default:
      return yield* ordinary(site, own, machine,
        'primaryId' in order.body ? order.body.primaryId : standing.primaryId ?? '', order)
  }
}

type Fence = { readonly epoch: number; readonly prefer: string; readonly leftMs: number }

const leftMs = ({ world }: Site, own: Actor, notAfter: string): number =>
  Date.parse(notAfter) - Date.parse(instant(Math.round(world.wall(own))))

function* fence(site: Site, own: Actor, machine: Machine, { epoch, prefer, leftMs }: Fence): Doing<Came> {
  const { world, net, db, machines, cloud, mistakes } = site
  const row = yield* asked(site, own, () => ({
    written: writeFence(db, epoch, machine.name),
    leaseTtlMs: db.hosts.get(machine.name)?.leaseTtlMs ?? null,
    leaseNames: db.hosts.get(machine.name)?.leaseNames ?? [],
  }))
  if (row === undefined) return failed('CMON DB does not answer')
  if (!row.written) return failed('a newer decision goes before', true)
  if (mistakes.noFence === true) return did({ fencedBy: 'server-stopped' })
  const fencedAtMs = world.monotonic(own)
  let decided = false
  function* stopped(): Doing<FencedBy | undefined> {
    const done = yield* on<true>(site, own, machine, (answer) => answer((machines.fence(machine), true)))
    return done && 'server-stopped'
  }
  function* poweredOff(): Doing<FencedBy | undefined> {
    yield* net.sleep(own, HEAD_START_MS)
    if (decided) return undefined
    const done = yield* net.call<true>(own, cloud, VERB_MS, (answer) => {
      if (world.random.happens(site.cloudFails.of)) return
      machine.enabled = false
      machines.off(machine, 'powered off from outside')
      answer(true)
    })
    return done && 'powered-off'
  }
  function* ranOut(): Doing<FencedBy | undefined> {
    yield* net.sleep(own, HEAD_START_MS)
    const ttlMs = row?.leaseTtlMs ?? null
    if (ttlMs === null || decided) return undefined
    const others = row?.leaseNames ?? []
    const answers = yield* net.beside(own, others.map((name) => stopReceiving(site, own, name, () => decided)), (one) =>
      one !== undefined)
    const stoppedAtMs = answers.find((one) => one !== undefined)
    const outAtMs = runsOutAt({ ttlMs }, { fencedAtMs, stoppedAtMs })
    if (outAtMs === undefined) return undefined
    yield* net.sleep(own, Math.max(outAtMs - world.monotonic(own), 0))
    return 'lease-ran-out'
  }
  function* limit(): Doing<'over'> {
    yield* net.sleep(own, Math.max(leftMs - LAST_WORD_MS, 0))
    return 'over'
  }
  const tried = [stopped(), poweredOff(), ranOut()]
  const all = net.beside(own, tried, (one) => one !== undefined)
  const ways = yield* net.beside<FencedBy | 'over' | undefined>(own, [first(all), limit()], () => true)
  decided = true
  const fencedBy = ways.find((one): one is FencedBy => one !== undefined && one !== 'over')
  if (fencedBy !== undefined) return did({ fencedBy })
  return prefer === 'availability' ? did({ fencedBy: 'nothing' }) : failed('nothing confirms that it takes no writes')
}

function* first(all: Doing<readonly (FencedBy | undefined)[]>): Doing<FencedBy | undefined> {
  return (yield* all).find((one) => one !== undefined)
}

/** Asked until it has. @returns when it certainly had, by the controller's clock */
function* stopReceiving(site: Site, own: Actor, name: string, isOver: () => boolean): Doing<number | undefined> {
  const { world, net, machines } = site
  const machine = machines.all.get(name)
  while (machine !== undefined && !isOver()) {
    const done = yield* on<true>(site, own, machine, (answer) => {
      if (machine.server.actor.alive && machine.server.role === 'replica') answer((machines.standing(machine), true))
    })
    if (done === true) return world.monotonic(own)
    yield* net.sleep(own, 300)
  }
  return undefined
}

type Promotion = { readonly epoch: number; readonly positionBytes: number | undefined }

function* promote(site: Site, own: Actor, machine: Machine, { epoch, positionBytes }: Promotion): Doing<Came> {
  const { db, machines } = site
  const claimed = yield* asked(site, own, () => claimPromotion(db, epoch, machine.name, positionBytes))
  if (claimed === undefined) return failed('CMON DB does not answer')
  if (!claimed) return failed('a newer decision goes before', true)
  const names = site.synchronous ? site.names.filter((name) => name !== machine.name) : []
  const done = yield* on<boolean>(site, own, machine, (answer) => answer(machines.promote(machine, names, epoch)))
  if (done === true) return did()
  // It may have gone off since it was elected.
  yield* site.net.call<true>(own, site.cloud, VERB_MS, (answer) => answer((machines.boot(machine), true)))
  return failed('it could not be promoted')
}

/** What does not answer keeps nobody from going on: the watch finds it. */
function* unfence(site: Site, own: Actor, machine: Machine, epoch: number): Doing<Came> {
  const { net, db, machines, cloud } = site
  const back = yield* asked(site, own, () => takeFenceBack(db, epoch, machine.name))
  if (back === undefined) return failed('CMON DB does not answer')
  if (!back) return did()
  yield* net.call<true>(own, cloud, VERB_MS, (answer) => answer((machines.boot(machine), true)))
  yield* on<true>(site, own, machine, (answer) => answer((machines.unfence(machine), true)))
  const others = yield* asked(site, own, () => site.names.filter((name) => name !== machine.name &&
    db.hosts.get(name)?.fencedEpoch === null))
  yield* net.beside(own, (others ?? []).flatMap((name) => {
    const other = machines.all.get(name)
    return other === undefined ? [] : [on<true>(site, own, other, (answer) => answer((machines.follow(other,
      machine.name), true)))]
  }))
  return did()
}

function* rejoin(site: Site, own: Actor, machine: Machine, primary: Machine): Doing<Came> {
  const { machines, db } = site
  const source = yield* on<boolean>(site, own, primary, (answer) => machines.look(primary, ({ role }) =>
    answer(role === 'primary')))
  if (source !== true) return failed('the primary does not answer')
  const done = yield* on<true>(site, own, machine, (answer) => answer((machines.rejoin(machine, primary), true)))
  if (done !== true) return failed(NO_CONTACT)
  return (yield* asked(site, own, () => (rejoined(db, machine.name), true))) ? did() : failed('CMON DB does not answer')
}

/** All but one answer is enough for nobody: the primary takes writes, and every other one streams from it. */
function* check(site: Site, own: Actor, primaryId: string, names: readonly string[]): Doing<Came> {
  const { machines } = site
  for (const name of names) {
    const machine = machines.all.get(name)
    if (machine === undefined) continue
    const seen = yield* on<boolean>(site, own, machine, (answer) =>
      machines.look(machine, ({ role, streams }) => answer(name === primaryId ? role === 'primary' : role === 'replica' &&
        streams)))
    if (seen !== true) return failed(`${name} does not do its part`)
  }
  return did({ roles: Object.fromEntries(names.map((name) => [name, name === primaryId ? 'primary' : 'replica'] as const)) })
}

/** The orders of planned changes. */
function* ordinary(site: Site, own: Actor, machine: Machine, primaryId: string, { subject, body }: Order): Doing<Came> {
  const { machines, db } = site
  const doing = (work: () => void) => exclusively(site, own, machine.name, function* () {
    const done = yield* on<true>(site, own, machine, (answer) => answer((work(), true)))
    return done === true ? did() : failed(NO_CONTACT)
  })
  const intend = (shutDown: boolean) => asked(site, own, () => Object.assign(db.hosts.get(machine.name) ?? {}, { shutDown }))
  switch (subject) {
    case 'cmon.stop-node': {
      if ((yield* intend(true)) === undefined) return failed('CMON DB does not answer')
      return yield* doing(() => machines.stop(machine, 'it is told to'))
    }
    case 'cmon.start-node': {
      if ((yield* intend(false)) === undefined) return failed('CMON DB does not answer')
      yield* site.net.call<true>(own, site.cloud, VERB_MS, (answer) => answer((machines.boot(machine), true)))
      return yield* doing(() => void machines.start(machine))
    }
    case 'cmon.restart-node': {
      if ((yield* intend(true)) === undefined) return failed('CMON DB does not answer')
      const came = yield* doing(() => {
        machines.stop(machine, 'it is started anew')
        machines.start(machine)
      })
      if ((yield* intend(false)) === undefined) return failed('CMON DB does not answer')
      return came
    }
    case 'cmon.catch-up': {
      const former = 'formerId' in body ? machines.all.get(body.formerId) : undefined
      const has = yield* on<number>(site, own, machine, (answer) => answer(machine.disk.log.length))
      const needs = former && (yield* on<number>(site, own, former, (answer) => answer(former.disk.log.length)))
      return has !== undefined && needs !== undefined && has >= needs ? did() : failed('it has not caught up')
    }
    case 'cmon.follow-primary':
    case 'cmon.configure-node': {
      // As the primary of its own it is not told to follow anybody.
      if (machine.name === primaryId) return did()
      const came = yield* doing(() => {
        if (subject === 'cmon.follow-primary' && machine.disk.role === 'primary') {
          machines.stop(machine, 'it is to follow')
          machine.disk.role = 'replica'
        }
        if (machine.disk.role === 'replica') machines.follow(machine, primaryId)
        machines.start(machine)
      })
      const isUp = subject === 'cmon.follow-primary' && 'result' in came
      if (isUp && (yield* intend(false)) === undefined) return failed('CMON DB does not answer')
      const isLeft = 'ifItAnswers' in body && body.ifItAnswers && 'because' in came && came.because === NO_CONTACT
      return isLeft ? did() : came
    }
    default:
      return did()
  }
}
