import { derivedId, eventId } from '../../command-handlers/ids.ts'
import { account } from '../../domain/account/account.ts'
import { datastore } from '../../domain/datastore/datastore.ts'
import type { DatastoreCommand } from '../../domain/datastore/messages.ts'
import type { NodeState } from '../../domain/datastore/spec.ts'
import { installation } from '../../domain/installation/installation.ts'
import { job } from '../../domain/job/job.ts'
import type { JobCommand, JobEvent } from '../../domain/job/messages.ts'
import type { EndedJob } from '../../domain/job/state.ts'
import { type Command, type Decider, type Event, isRejection } from '../../domain/kernel/decider.ts'
import type { Actor, NewEvent } from '../../domain/kernel/event-store.ts'
import { organisation } from '../../domain/organisation/organisation.ts'
import { parameterGroups } from '../../domain/parameter-group/parameter-group.ts'
import { webhook } from '../../domain/webhook/webhook.ts'
import { sagas } from '../../sagas/index.ts'
import { noon } from './examples.ts'

export type Append = { readonly stream: string; readonly events: readonly NewEvent[] }

/** Numbers from 0 to 1 that look random and are the same for the same seed (mulberry32). */
export const dice = (seed: number) => {
  let state = seed
  return (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** One aggregate after the other, decided by its real decider. */
const aggregate = <C extends Command, E extends Event, S, Code extends string>(
  decider: Decider<C, E, S, Code>,
  name: string,
  write: (stream: string, events: readonly E[]) => void,
) => {
  const states = new Map<string, S>()
  return {
    ids: (): readonly string[] => [...states.keys()],
    state: (id: string): S => states.get(id) ?? decider.initial,
    send: (id: string, command: C): readonly E[] => {
      const state = states.get(id) ?? decider.initial
      const decision = decider.decide(command, state)
      if (isRejection(decision) || decision.length === 0) return []
      states.set(id, decision.reduce(decider.evolve, state))
      write(`${name}-${id}`, decision)
      return decision
    },
  }
}

type Ordered = Extract<JobEvent, { type: 'StepOrdered' }>['data']

/** The streams of a control plane under simulation, and what has been written to them. */
export const world = (seed: number) => {
  const appends: Append[] = []
  const write = (stream: string, events: readonly Event[]): void => {
    const commandId = derivedId('history', `${seed}`, `${appends.length}`)
    const ids = { commandId, correlationId: commandId, causationId: commandId }
    const actor: Actor = stream.startsWith('job-') ? { kind: 'system', id: 'runner' } : { kind: 'user', id: 'acc_1' }
    const metadata = { ...ids, actor }
    appends.push({ stream, events: events.map((event, n) => ({ ...event, id: eventId(commandId, n), metadata })) })
  }
  const roll = dice(seed)
  return {
    seed,
    appends,
    roll,
    pick: <T>(from: readonly T[]): T | undefined => from[Math.floor(roll() * from.length)],
    clock: { now: noon, count: 0 },
    stores: aggregate(datastore, 'datastore', write),
    jobs: aggregate(job(sagas), 'job', write),
    accounts: aggregate(account, 'account', write),
    installations: aggregate(installation, 'installation', write),
    webhooks: aggregate(webhook, 'webhook', write),
    groups: aggregate(parameterGroups, 'parameters', write),
    organisations: aggregate(organisation, 'organisation', write),
    /** Not answered yet. */
    orders: new Array<Ordered>(),
    /** What follows from events, not carried out yet. */
    reactions: new Array<() => void>(),
  }
}

export type World = ReturnType<typeof world>

/** Sends a command to its datastore; what follows from it waits among the reactions. */
export const sendStore = (own: World, command: DatastoreCommand): void => {
  for (const { type, data } of own.stores.send(command.data.datastoreId, command)) {
    if (type === 'JobAdmitted') {
      const { jobId, kind, input } = data
      own.reactions.push(() => sendJob(own, { type: 'StartJob', data: { jobId, kind, input, now: own.clock.now } }))
    }
    if (type === 'JobCancellationAsked') {
      const { jobId, because } = data
      own.reactions.push(() => sendJob(own, { type: 'CancelJob', data: { jobId, because, now: own.clock.now } }))
    }
    if (type === 'JobAbandonmentAsked') {
      const { jobId, because } = data
      own.reactions.push(() => sendJob(own, { type: 'AbandonJob', data: { jobId, because, now: own.clock.now } }))
    }
  }
}

/** Sends a command to its job; what it orders waits among the orders. */
export const sendJob = (own: World, command: JobCommand): void => {
  for (const { type, data } of own.jobs.send(command.data.jobId, command)) {
    if (type === 'StepOrdered') own.orders.push(data)
    const isEnd = type === 'JobFinished' || type === 'JobUnwound' || type === 'JobAbandoned'
    if (isEnd) own.reactions.push(() => endJob(own, data.jobId))
  }
}

/** The nodes that are known, as an earlier job found them or this one. */
const nodesOf = ({ input, learned }: EndedJob): readonly NodeState[] =>
  input.spec.nodes.flatMap(({ nodeId }) => {
    const before = input.nodes.find((node) => node.nodeId === nodeId)
    const known = learned.nodes[nodeId]
    if (before === undefined && known === undefined) return []
    return [{ role: 'replica', privateAddress: '', publicAddress: '', ...before, ...known, nodeId }]
  })

const endJob = (own: World, jobId: string): void => {
  const state = own.jobs.state(jobId)
  if (state.status === 'absent' || state.status === 'running') return
  const { datastoreId, because, status: end, learned: { failover } } = state
  const about = { nodes: nodesOf(state), ...(failover === undefined ? {} : { failover }) }
  const data = { datastoreId, jobId, end, because, ...about, now: own.clock.now }
  sendStore(own, { type: 'RecordJobEnded', data })
}
