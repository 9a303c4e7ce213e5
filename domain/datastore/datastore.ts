import { type Decider, type Decision, reject } from '../kernel/decider.ts'
import { type Change, type Shape, changed, isSo, mustBeDone, refusalOf, specAtWork } from './changes/index.ts'
import { remedyFor } from './disk.ts'
import type {
  ChangeDatastore, ChangeSettings, CreateDatastore, DatastoreCommand, DatastoreEvent, DatastoreRejection, DeleteDatastore,
  JobInput, JobKind, RecordJobEnded, ReportDiskUsage, RetryJob, RevokeSources, StopJob, TrustSources,
} from './messages.ts'
import { settled } from './high-availability.ts'
import { again, type PastJob } from './retry.ts'
import type { DatastoreSpec, NodeState } from './spec.ts'
import { type Built, builtAfter } from './upgrade.ts'
import { drop, outcomeOf, unfitness } from './outcome.ts'
import { revoked, trusted, trustedAfter } from './trust.ts'

/** A job that waits or is at work. `change` is that of a job which changes the datastore. */
export type QueuedJob = { readonly jobId: string; readonly kind: JobKind; readonly change?: Change }

type Known = {
  readonly datastoreId: string
  readonly spec: DatastoreSpec
  readonly fingerprint: string
  readonly nodes: readonly NodeState[]
  /** The first is the one at work. */
  readonly queue: readonly QueuedJob[]
  readonly jobsSeen: ReadonlySet<string>
  readonly past: ReadonlyMap<string, PastJob>
  readonly built: Built
}

export type Datastore =
  | { readonly status: 'absent' }
  | (Known & { readonly status: 'deploying' | 'running' | 'deploy-failed' | 'deleting' | 'deleted' })

type Decided = Decision<DatastoreEvent, DatastoreRejection>

/** A datastore: what the tenant wants, which of its jobs may run now, and what came of them. */
export const datastore: Decider<DatastoreCommand, DatastoreEvent, Datastore, DatastoreRejection> = {
  initial: { status: 'absent' },

  decide(command, state) {
    if (command.type === 'CreateDatastore') return create(command.data, state)
    if (state.status === 'absent') {
      return reject('datastore-not-found', `there is no datastore ${command.data.datastoreId}`)
    }
    switch (command.type) {
      case 'DeleteDatastore':
        return remove(command.data, state)
      case 'ChangeDatastore':
        return change(command.data, state)
      case 'ChangeSettings':
        return changeSettings(command.data, state)
      case 'TrustSources':
      case 'RevokeSources':
        return trust(command, state)
      case 'StopJob':
        return stopJob(command.data, state)
      case 'RetryJob':
        return retryJob(command.data, state)
      case 'RecordJobEnded':
        return endJob(command.data, state)
      case 'ReportDiskUsage':
        return reportDiskUsage(command.data, state)
    }
  },

  evolve(state, event) {
    if (event.type === 'DatastoreCreated') {
      const { datastoreId, spec, fingerprint } = event.data
      const nothing = { nodes: [], queue: [], jobsSeen: new Set<string>(), past: new Map<string, PastJob>(), built: {} }
      return { status: 'deploying', datastoreId, spec, fingerprint, ...nothing }
    }
    if (state.status === 'absent') throw new Error(`BUG: ${event.type} before DatastoreCreated`)
    switch (event.type) {
      case 'DatastoreDeployed':
        return { ...state, status: after(state, 'running'), nodes: event.data.nodes }
      case 'DeploymentFailed':
        return { ...state, status: after(state, 'deploy-failed') }
      case 'DeploymentRetried':
        return { ...state, status: 'deploying', spec: event.data.spec }
      case 'DeletionStarted':
        return { ...state, status: 'deleting' }
      case 'DeletionAbandoned':
        return { ...state, status: state.nodes.length === 0 ? 'deploy-failed' : 'running' }
      case 'DatastoreDeleted':
        return { ...state, status: 'deleted', nodes: [] }
      case 'SettingsChanged':
        return { ...state, spec: settled(state.spec, event.data.settings) }
      case 'SourcesTrusted':
      case 'SourcesRevoked': {
        const jobsSeen = new Set([...state.jobsSeen, event.data.jobId])
        return { ...state, spec: { ...state.spec, trusted: trustedAfter(state.spec.trusted, event) }, jobsSeen }
      }
      case 'DatastoreChanged': {
        const { change, nodes } = event.data
        return { ...state, spec: changed(state, change).spec, nodes }
      }
      case 'JobQueued': {
        const { jobId, kind, change } = event.data
        const job = { jobId, kind, ...(change === undefined ? {} : { change }) }
        return { ...state, queue: [...state.queue, job], jobsSeen: new Set([...state.jobsSeen, jobId]) }
      }
      case 'JobDropped':
        return over(state, event.data, 'dropped')
      case 'JobEnded':
        return over(state, event.data, event.data.end)
      case 'JobAdmitted':
        return { ...state, built: builtAfter(state.built, event.data) }
      case 'JobCancellationAsked':
      case 'ChangeAbandoned':
        return state
    }
  },
}

type Over = { readonly jobId: string; readonly at: string }

const over = (state: Live, { jobId, at: endedAt }: Over, end: PastJob['end']): Live => {
  const queue = state.queue.filter((job) => job.jobId !== jobId)
  const job = state.queue.find((one) => one.jobId === jobId)
  if (job === undefined) return { ...state, queue }
  const { kind, change: wanted } = job
  const ended: PastJob = { kind, end, endedAt, ...(wanted === undefined ? {} : { change: wanted }) }
  return { ...state, queue, past: new Map([...state.past, [jobId, ended]]) }
}

/** The status a job leaves behind, unless the datastore is on its way out already. */
const after = <S extends 'running' | 'deploy-failed'>(state: Exclude<Datastore, { status: 'absent' }>, status: S) =>
  state.status === 'deleting' || state.status === 'deleted' ? state.status : status

const create = ({ datastoreId, jobId, spec, fingerprint, now }: CreateDatastore['data'], state: Datastore): Decided => {
  if (state.status !== 'absent') {
    return state.fingerprint === fingerprint
      ? []
      : reject('idempotency-key-reused', 'this idempotency key was used for another request')
  }
  const about = { datastoreId, at: now }
  const job = { jobId, kind: 'deploy-datastore' } as const
  return [
    { type: 'DatastoreCreated', data: { ...about, spec, fingerprint } },
    { type: 'JobQueued', data: { ...about, ...job, ownerId: spec.ownerId } },
    { type: 'JobAdmitted', data: { ...about, ...job, input: { datastoreId, spec, nodes: [] } } },
  ]
}

const remove = ({ datastoreId, jobId, now }: DeleteDatastore['data'], state: Live): Decided => {
  if (state.status === 'deleted') return reject('datastore-not-found', `datastore ${datastoreId} is deleted`)
  if (state.status === 'deleting' || state.jobsSeen.has(jobId)) return []
  const about = { datastoreId, at: now }
  const because = 'the datastore is to be deleted'
  const job = { jobId, kind: 'delete-datastore' } as const
  const [atWork, ...waiting] = state.queue
  return [
    { type: 'DeletionStarted', data: about },
    ...waiting.flatMap((dropped) => drop(dropped, because, about)),
    ...(atWork ? [{ type: 'JobCancellationAsked', data: { ...about, jobId: atWork.jobId, because } } as const] : []),
    { type: 'JobQueued', data: { ...about, ...job, ownerId: state.spec.ownerId } },
    ...(atWork ? [] : [admit(job, state, about)]),
  ]
}

/** The datastore as it will be once everything that is queued is done: what a further change is held against. */
export const planned = (state: Live): Shape =>
  state.queue.reduce<Shape>((shape, job) => (job.change === undefined ? shape : changed(shape, job.change)), state)

const change = ({ datastoreId, jobId, change: wanted, now }: ChangeDatastore['data'], state: Live): Decided => {
  if (state.jobsSeen.has(jobId)) return []
  const unfit = unfitness(state)
  if (unfit !== undefined) return unfit
  const shape = planned(state)
  const refusal = refusalOf(shape, wanted)
  if (refusal !== undefined) return refusal
  if (isSo(shape, wanted)) return []
  const about = { datastoreId, at: now }
  const job = { jobId, kind: wanted.kind, change: wanted }
  return [
    { type: 'JobQueued', data: { ...about, ...job, ownerId: state.spec.ownerId } },
    ...(state.queue.length === 0 ? [admit(job, state, about)] : []),
  ]
}

/** What nothing follows from is no news. */
const reportDiskUsage = ({ datastoreId, jobId, now, ...seen }: ReportDiskUsage['data'], state: Live): Decided => {
  const remedy = remedyFor(state, { ...seen, now })
  return remedy === undefined ? [] : change({ datastoreId, jobId, change: remedy, now }, state)
}

/** What is trusted holds from here on; one job that waits is enough to carry it out, whatever else is said before its turn. */
const trust = (command: TrustSources | RevokeSources, state: Live): Decided => {
  const { datastoreId, jobId, now } = command.data
  if (state.jobsSeen.has(jobId)) return []
  const unfit = unfitness(state)
  if (unfit !== undefined) return unfit
  const about = { datastoreId, at: now }
  const event = command.type === 'TrustSources' ? trusted(command.data, state.spec) : revoked(command.data, state.spec)
  if ('rejected' in event) return event
  const [, ...waiting] = state.queue
  if (waiting.some(({ kind }) => kind === 'apply-firewall')) return [event]
  const job = { jobId, kind: 'apply-firewall', change: { kind: 'apply-firewall' } } as const
  return [
    event,
    { type: 'JobQueued', data: { ...about, ...job, ownerId: state.spec.ownerId } },
    ...(state.queue.length === 0 ? [admit(job, afterAll(state, [event]), about)] : []),
  ]
}

const changeSettings = ({ datastoreId, settings, now }: ChangeSettings['data'], state: Live): Decided =>
  unfitness(state) ?? [{ type: 'SettingsChanged', data: { datastoreId, at: now, settings } }]

const stopJob = ({ datastoreId, jobId, because, now }: StopJob['data'], state: Live): Decided => {
  const about = { datastoreId, at: now }
  const place = state.queue.findIndex((job) => job.jobId === jobId)
  const job = state.queue[place]
  if (job === undefined) {
    return state.jobsSeen.has(jobId) ? [] : reject('job-not-found', `the datastore has no job ${jobId}`)
  }
  if (job.change !== undefined && mustBeDone(job.change.kind)) {
    return reject('job-must-be-done', 'the job carries out what holds already; it cannot be taken back')
  }
  if (place === 0) return [{ type: 'JobCancellationAsked', data: { ...about, jobId, because } }]
  const dropped = drop(job, because, about)
  // Nothing would ever end a deletion that nobody carries out.
  return job.kind === 'delete-datastore' ? [{ type: 'DeletionAbandoned', data: { ...about, because } }, ...dropped] : dropped
}

const retryJob = ({ datastoreId, jobId, retried, fresh, now }: RetryJob['data'], state: Live): Decided => {
  if (state.jobsSeen.has(jobId)) return []
  if (state.queue.some((job) => job.jobId === retried)) return reject('job-not-over', `job ${retried} is not over yet`)
  const past = state.past.get(retried)
  if (past === undefined) return reject('job-not-found', `the datastore has no job ${retried}`)
  const asked = again(state, past, { retried, fresh })
  if ('rejected' in asked) return asked
  if (asked.does === 'delete') return remove({ datastoreId, jobId, now }, state)
  if (asked.does === 'change') return change({ datastoreId, jobId, change: asked.change, now }, state)
  if (state.status !== 'deploy-failed') {
    return reject('job-not-retriable', `datastore ${datastoreId} is not one whose deployment came to nothing`)
  }
  const spec = { ...state.spec, nodes: asked.nodes }
  return deployed({ type: 'DeploymentRetried', data: { datastoreId, at: now, spec } }, jobId, state)
}

/** What leads to a deployment, and its job: nothing else is queued before there is anything. */
const deployed = (begun: DatastoreEvent, jobId: string, before: Live): readonly DatastoreEvent[] => {
  const { datastoreId, at } = begun.data
  const job = { jobId, kind: 'deploy-datastore' } as const
  const state = afterAll(before, [begun])
  const queued: DatastoreEvent = { type: 'JobQueued', data: { datastoreId, at, ...job, ownerId: state.spec.ownerId } }
  return [begun, queued, ...(state.queue.length === 0 ? [admit(job, state, { datastoreId, at })] : [])]
}

const endJob = ({ datastoreId, jobId, end, because, nodes, now }: RecordJobEnded['data'], state: Live): Decided => {
  const [atWork] = state.queue
  if (atWork?.jobId !== jobId) return []
  const about = { datastoreId, at: now }
  const ended: readonly DatastoreEvent[] = [
    outcomeOf(atWork, state, { end, because, nodes, about }),
    { type: 'JobEnded', data: { ...about, jobId, kind: atWork.kind, end, because } },
  ]
  return [...ended, ...goOn(afterAll(state, ended), about)]
}

const afterAll = (state: Live, events: readonly DatastoreEvent[]): Live =>
  events.reduce<Live>((folded, event) => {
    const next = datastore.evolve(folded, event)
    if (next.status === 'absent') throw new Error('BUG: a datastore has gone from its own events')
    return next
  }, state)

/** Admits the next job that still makes sense; those that do not are dropped. */
const goOn = (state: Live, about: About): readonly DatastoreEvent[] => {
  const [next] = state.queue
  if (next === undefined) return []
  const because = next.change === undefined ? undefined : whyNot(next.change, state)
  if (because === undefined) return [admit(next, state, about)]
  const dropped = drop(next, because, about)
  return [...dropped, ...goOn(afterAll(state, dropped), about)]
}

/** Why a change whose turn has come is not begun; undefined when it is. */
const whyNot = (wanted: Change, state: Live): string | undefined =>
  (unfitness(state) ?? refusalOf(state, wanted))?.because ?? (isSo(state, wanted) ? 'it is so already' : undefined)

type About = { readonly datastoreId: string; readonly at: string }
export type Live = Exclude<Datastore, { status: 'absent' }>

const admit = ({ jobId, kind, change: wanted }: QueuedJob, state: Live, about: About): DatastoreEvent => {
  const { datastoreId, nodes } = state
  const input: JobInput =
    wanted === undefined
      ? { datastoreId, spec: state.spec, nodes }
      : { datastoreId, spec: specAtWork(state, wanted), nodes, change: wanted }
  return { type: 'JobAdmitted', data: { ...about, jobId, kind, input } }
}
