import { type Datastore, datastore } from '../../domain/datastore/datastore.ts'
import type { DatastoreCommand, DatastoreEvent } from '../../domain/datastore/messages.ts'
import { job } from '../../domain/job/job.ts'
import type { JobCommand, JobEvent } from '../../domain/job/messages.ts'
import type { OrderResult } from '../../domain/job/orders.ts'
import type { Job } from '../../domain/job/state.ts'
import { isRejection } from '../../domain/kernel/decider.ts'
import { sagas } from '../../sagas/index.ts'
import { type Doing, type Network } from './network.ts'
import { type Actor, type World, actor } from './world.ts'

type Stream<S, E> = { state: S; revision: number; readonly taken: Set<string>; readonly events: E[] }

/** An event in the order of the whole log. */
export type Logged =
  | { readonly id: string; readonly of: 'datastore'; readonly event: DatastoreEvent }
  | { readonly id: string; readonly of: 'job'; readonly event: JobEvent }

/** The planted mistakes, each of which the simulation has to find. */
export type Mistakes = {
  /** A fence is told to have worked, and nothing was done. */
  readonly noFence?: true
  /** A decision is appended whatever was written since it was decided. */
  readonly noRevision?: true
  /** The replica with the least is promoted. */
  readonly lagging?: true
}

const jobs = job(sagas)
const CALL_MS = 2_000
const ATTEMPTS_MAX = 32

export type EventLog = ReturnType<typeof eventLog>

/** The event store: streams, each appended to at an expected revision. What is in it is never lost. */
export const eventLog = (world: World, net: Network, mistakes: Mistakes) => {
  const own = actor('log')
  const all: Logged[] = []
  const datastores: Stream<Datastore, DatastoreEvent> = { state: datastore.initial, revision: 0, taken: new Set(), events: [] }
  const jobStreams = new Map<string, Stream<Job, JobEvent>>()
  const readers: (() => void)[] = []

  const jobStream = (jobId: string): Stream<Job, JobEvent> => {
    const known = jobStreams.get(jobId) ?? { state: jobs.initial, revision: 0, taken: new Set<string>(), events: [] }
    jobStreams.set(jobId, known)
    return known
  }

  type Append = { readonly expected: number; readonly commandId: string }
  const isRefused = ({ revision, taken }: Stream<unknown, unknown>, { expected,
    commandId }: Append): 'taken' | 'conflict' | undefined => {
    if (taken.has(commandId)) return 'taken'
    return expected !== revision && mistakes.noRevision === undefined ? 'conflict' : undefined
  }
  const appended = (): void => {
    for (const tell of readers) tell()
  }

  const appendDatastore = (events: readonly DatastoreEvent[], how: Append): 'done' | 'taken' | 'conflict' => {
    const refused = isRefused(datastores, how)
    if (refused !== undefined) return refused
    datastores.taken.add(how.commandId)
    for (const [n, event] of events.entries()) {
      datastores.state = datastore.evolve(datastores.state, event)
      datastores.revision += 1
      datastores.events.push(event)
      all.push({ id: `${how.commandId}/${n}`, of: 'datastore', event })
      world.trace(() => `log: ${event.type} ${JSON.stringify(brief(event.data))}`)
    }
    appended()
    return 'done'
  }

  const appendJob = (jobId: string, events: readonly JobEvent[], how: Append): 'done' | 'taken' | 'conflict' => {
    const stream = jobStream(jobId)
    // A job's own stream is not where the mistake is planted.
    if (stream.taken.has(how.commandId)) return 'taken'
    if (how.expected !== stream.revision) return 'conflict'
    stream.taken.add(how.commandId)
    for (const [n, event] of events.entries()) {
      stream.state = jobs.evolve(stream.state, event)
      stream.revision += 1
      stream.events.push(event)
      all.push({ id: `${how.commandId}/${n}`, of: 'job', event })
      world.trace(() => `log: ${jobId} ${event.type} ${JSON.stringify(brief(event.data))}`)
    }
    appended()
    return 'done'
  }

  /** @returns whether it is settled: written, refused, or so already; otherwise nobody knows */
  function* sendDatastore(from: Actor, command: DatastoreCommand, commandId: string): Doing<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const read = yield* net.call<{ state: Datastore; revision: number }>(from, own, CALL_MS, (answer) =>
        answer({ state: datastores.state, revision: datastores.revision }))
      if (read === undefined) return false
      const decision = datastore.decide(command, read.state)
      if (isRejection(decision) || decision.length === 0) return true
      const came = yield* net.call<string>(from, own, CALL_MS, (answer) =>
        answer(appendDatastore(decision, { expected: read.revision, commandId })))
      if (came === undefined) return false
      if (came !== 'conflict') return true
    }
    return false
  }

  function* sendJob(from: Actor, command: JobCommand, commandId: string): Doing<boolean> {
    const { jobId } = command.data
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const read = yield* net.call<{ state: Job; revision: number }>(from, own, CALL_MS, (answer) =>
        answer({ state: jobStream(jobId).state, revision: jobStream(jobId).revision }))
      if (read === undefined) return false
      const decision = jobs.decide(command, read.state)
      if (isRejection(decision) || decision.length === 0) return true
      const came = yield* net.call<string>(from, own, CALL_MS, (answer) =>
        answer(appendJob(jobId, decision, { expected: read.revision, commandId })))
      if (came === undefined) return false
      if (came !== 'conflict') return true
    }
    return false
  }

  return {
    actor: own,
    all,
    readers,
    datastore: (): Datastore => datastores.state,
    history: datastores.events,
    job: (jobId: string): Job => jobStreams.get(jobId)?.state ?? jobs.initial,
    openJobs: (): readonly string[] =>
      [...jobStreams].filter(([, { state }]) => state.status === 'running').map(([jobId]) => jobId),
    /** A tenant's command, decided at once; what is refused is refused. */
    asked: (command: DatastoreCommand): void => {
      const decision = datastore.decide(command, datastores.state)
      if (isRejection(decision) || decision.length === 0) return
      appendDatastore(decision, { expected: datastores.revision, commandId: `asked:${datastores.revision}` })
    },
    /** What is past when the run begins; nothing follows from it any more. */
    begun: (events: readonly DatastoreEvent[]): void => {
      for (const event of events) {
        datastores.state = datastore.evolve(datastores.state, event)
        datastores.revision += 1
      }
    },
    sendDatastore,
    sendJob,
  }
}

const LONG: readonly string[] = ['input', 'spec', 'order', 'steps', 'title', 'nodes', 'datastoreId', 'at', 'progressPercent']
const brief = (data: object): object => Object.fromEntries(Object.entries(data).filter(([key]) => !LONG.includes(key)))

type Ended = { readonly result: OrderResult } | { readonly because: string; readonly final: boolean }

export type HostRow = {
  fencedEpoch: number | null
  shutDown: boolean
  leaseTtlMs: number | null
  leaseNames: readonly string[]
  lostSince: number | null
}
const newHost = (): HostRow => ({ fencedEpoch: null, shutDown: false, leaseTtlMs: null, leaseNames: [], lostSince: null })

/** CMON DB: one after the other, or not at all. */
export const controllerStore = (world: World, nodes: readonly string[], primary: string, none: number | null = null) => ({
  actor: actor('cmon-db'),
  cluster: { epoch: 0, promotedEpoch: 0, primaryId: primary, neededBytes: none },
  hosts: new Map<string, HostRow>(nodes.map((name) => [name, newHost()])),
  journal: new Map<string, Ended>(),
  slot: { owner: '', until: 0 },
  locks: new Map<string, { readonly holder: string; readonly until: number }>(),
  /** Its clock, by which ownership ends. */
  now: (): number => world.now(),
})

export type ControllerDb = ReturnType<typeof controllerStore>
