import type { DatastoreCommand, DatastoreEvent, JobEnd } from '../../domain/datastore/messages.ts'
import type { NodeState } from '../../domain/datastore/spec.ts'
import { due } from '../../domain/job/job.ts'
import type { JobEvent } from '../../domain/job/messages.ts'
import type { PlacedOrder } from '../../domain/job/orders.ts'
import type { Job } from '../../domain/job/state.ts'
import type { Broker, Delivery } from './broker.ts'
import type { Doing, Network } from './network.ts'
import { followUp } from './observed.ts'
import { instant } from './scene.ts'
import type { EventLog, Logged } from './stores.ts'
import { type Actor, type World, actor } from './world.ts'

const POLL_MS = 500
const RETRY_MS = 500
const CALL_MS = 2_000
const STALE_AFTER_MS = 30_000

type Parts = { readonly world: World; readonly net: Network; readonly log: EventLog; readonly broker: Broker }

/** A runner: what follows from events, outcomes and observations becomes commands and orders; all of it may happen twice. */
export const runner = (parts: Parts, name: string, clocks: { skewMs: number; drift: number }): { actor: Actor; live: () =>
  void } => {
  const { world, net, log, broker } = parts
  const own = actor(name, clocks)
  /** All before it is followed up; kept outside, so that it outlives the runner. */
  const place = { next: 0 }
  const mine: (() => void)[] = []

  const follow = (): void => {
    const { life } = own
    /** Read up to here in this life. */
    let read = place.next
    const done = new Set<number>()
    const streams = new Map<string, { readonly n: number; readonly one: Logged }[]>()
    /** What is of one stream is followed up in its order. */
    function* inTurn(stream: string, queue: { readonly n: number; readonly one: Logged }[]): Doing<void> {
      for (let next = queue[0]; next !== undefined; next = queue[0]) {
        yield* insist(parts, own, next.one)
        done.add(next.n)
        while (done.delete(place.next)) place.next += 1
        queue.shift()
      }
      streams.delete(stream)
    }
    function* readOn(): Doing<void> {
      const from = read
      const events = yield* net.call<readonly Logged[]>(own, log.actor, CALL_MS, (answer) => answer(log.all.slice(from)))
      for (const [index, one] of (events ?? []).entries()) {
        const n = from + index
        if (n < read) continue
        read = n + 1
        const stream = one.of === 'datastore' ? '' : one.event.data.jobId
        const queue = streams.get(stream) ?? []
        queue.push({ n, one })
        if (streams.has(stream)) continue
        streams.set(stream, queue)
        net.begin(own, inTurn(stream, queue))
      }
    }
    const wake = (): void => {
      if (own.life === life) net.begin(own, readOn())
    }
    const reader = (): void => net.send(log.actor, own, wake)
    mine.push(reader)
    log.readers.push(reader)
    const poll = (): void => {
      wake()
      net.begin(own, passTime(parts, own))
      world.timer(own, POLL_MS, poll)
    }
    poll()
  }

  const take = <T>(work: (message: T) => Doing<boolean>) => ({ message, ack, nak }: Delivery<T>): void =>
    net.begin(own, work(message), (settled) => (settled ? ack() : nak()))

  broker.takers.outcomes.takers.push({
    actor: own,
    take: take((outcome) => {
      const { jobId } = outcome
      const commandId = `outcome:${outcome.orderId}:${outcome.kind}`
      return log.sendJob(own, { type: 'RecordOutcome', data: { jobId, outcome, now: instant(world.wall(own)) } }, commandId)
    }),
  })
  broker.takers.observations.takers.push({
    actor: own,
    take: take(function* (observation) {
      const next = followUp(observation, instant(world.wall(own)))
      return next === undefined || (yield* log.sendDatastore(own, next.command, next.commandId))
    }),
  })
  const live = (): void => {
    for (const reader of mine) log.readers.splice(log.readers.indexOf(reader), 1)
    mine.length = 0
    follow()
  }
  follow()
  return { actor: own, live }
}

function* insist(parts: Parts, own: Actor, one: Logged): Doing<void> {
  while (!(yield* react(parts, own, one))) yield* parts.net.sleep(own, RETRY_MS)
}

/** @returns whether all that follows from the event is done, or settled otherwise */
function* react(parts: Parts, own: Actor, { id, of, event }: Logged): Doing<boolean> {
  return of === 'datastore' ? yield* afterDatastore(parts, own, id, event) : yield* afterJob(parts, own, id, event)
}

function* afterDatastore({ world, log }: Parts, own: Actor, id: string, event: DatastoreEvent): Doing<boolean> {
  const now = instant(world.wall(own))
  switch (event.type) {
    case 'JobAdmitted': {
      const { jobId, kind, input } = event.data
      return yield* log.sendJob(own, { type: 'StartJob', data: { jobId, kind, input, now } }, `start:${id}`)
    }
    case 'JobCancellationAsked': {
      const { jobId, because } = event.data
      return yield* log.sendJob(own, { type: 'CancelJob', data: { jobId, because, now } }, `cancel:${id}`)
    }
    case 'JobAbandonmentAsked': {
      const { jobId, because } = event.data
      return yield* log.sendJob(own, { type: 'AbandonJob', data: { jobId, because, now } }, `abandon:${id}`)
    }
    default:
      return true
  }
}

function* afterJob(parts: Parts, own: Actor, id: string, event: JobEvent): Doing<boolean> {
  const { world, log, broker } = parts
  if (event.type === 'StepOrdered') {
    const { jobId, datastoreId, step, key, attempt, course, order, notAfter, extending, at } = event.data
    const now = instant(world.wall(own))
    if (notAfter <= now) return true
    const state = log.job(jobId)
    if (Date.parse(now) - Date.parse(at) > STALE_AFTER_MS && !isAwaited(state, event.data)) return true
    const orderId = `${jobId}/${course}/${step}/${key}/${attempt}`
    const placed: PlacedOrder = {
      orderId, jobId, datastoreId, step, key, attempt, course, order, notAfter,
      ...(extending === undefined ? {} : { extending }),
    }
    return yield* broker.publish(own, order.subject.startsWith('infra.') ? 'infra' : 'orders', orderId, placed)
  }
  if (event.type !== 'JobFinished' && event.type !== 'JobUnwound' && event.type !== 'JobAbandoned') return true
  const state = log.job(event.data.jobId)
  if (state.status === 'absent' || state.status === 'running') throw new Error('BUG: a job has ended and has not')
  const end: JobEnd = state.status
  const { jobId, datastoreId } = event.data
  const { because, learned: { failover } } = state
  const learnt = failover === undefined ? {} : { failover }
  const command: DatastoreCommand = {
    type: 'RecordJobEnded',
    data: { datastoreId, jobId, end, because, nodes: nodesOf(state), ...learnt, now: instant(world.wall(own)) },
  }
  return yield* log.sendDatastore(own, command, `end:${id}`)
}

const isAwaited = (state: Job, data: { step: string; course: string; key: string; attempt: number }): boolean => {
  if (state.status !== 'running' || state.step !== data.step || state.course !== data.course) return false
  const work = state.work[data.key]
  return work?.state === 'ordered' && work.attempt === data.attempt
}

const nodesOf = ({ input, learned }: Exclude<Job, { status: 'absent' }>): readonly NodeState[] =>
  input.spec.nodes.flatMap(({ nodeId }) => {
    const before = input.nodes.find((node) => node.nodeId === nodeId)
    const role = learned.nodes[nodeId]?.role ?? before?.role
    return before === undefined || role === undefined ? [] : [{ ...before, role }]
  })

function* passTime({ world, net, log }: Parts, own: Actor): Doing<void> {
  const open = yield* net.call<readonly string[]>(own, log.actor, CALL_MS, (answer) => answer(log.openJobs()))
  for (const jobId of open ?? []) {
    const now = instant(world.wall(own))
    const at = due(log.job(jobId))
    if (at === undefined || at > now) continue
    yield* log.sendJob(own, { type: 'PassTime', data: { jobId, now } }, `time:${jobId}:${now}`)
  }
}
