import { type Decider, reject } from '../kernel/decider.ts'
import { type Decided, admit, afterAll, change, goOn, isFree } from './admission.ts'
import { mustBeDone } from './changes/index.ts'
import { remedyFor } from './disk.ts'
import { evolve } from './evolve.ts'
import { endFailover, reportPrimaryUnreachable } from './failover.ts'
import { recordServerRestart, recoveredBy, reportNodeBack, reportNodeSilent, reportNodeWell } from './lost-nodes.ts'
import type {
  ChangeSettings, CreateDatastore, DatastoreCommand, DatastoreEvent, DatastoreRejection, DeleteDatastore,
  RecordJobEnded, ReportDiskUsage, RetryJob, RevokeSources, StopJob, TrustSources,
} from './messages.ts'
import { again } from './retry.ts'
import type { NodeState } from './spec.ts'
import { type Datastore, type Live, waitingIn, workOf } from './state.ts'
import { drop, outcomeOf, unfitness } from './outcome.ts'
import { revoked, trusted } from './trust.ts'

export { planned } from './admission.ts'
export type { Datastore, Live } from './state.ts'

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
      case 'ReportPrimaryUnreachable':
        return reportPrimaryUnreachable(command.data, state)
      case 'ReportNodeSilent':
        return reportNodeSilent(command.data, state)
      case 'ReportNodeBack':
        return reportNodeBack(command.data, state)
      case 'ReportNodeWell':
        return reportNodeWell(command.data, state)
      case 'RecordServerRestart':
        return recordServerRestart(command.data, state)
    }
  },

  evolve,
}

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
    { type: 'JobAdmitted', data: { ...about, ...job, input: { datastoreId, spec, nodes: [], epoch: 1 } } },
  ]
}

const remove = ({ datastoreId, jobId, now }: DeleteDatastore['data'], state: Live): Decided => {
  if (state.status === 'deleted') return reject('datastore-not-found', `datastore ${datastoreId} is deleted`)
  if (state.status === 'deleting' || state.jobsSeen.has(jobId)) return []
  const about = { datastoreId, at: now }
  const because = 'the datastore is to be deleted'
  const job = { jobId, kind: 'delete-datastore' } as const
  const running = [state.atWork, state.failover?.jobId ?? null].filter((one) => one !== null)
  return [
    { type: 'DeletionStarted', data: about },
    ...waitingIn(state).flatMap((dropped) => drop(dropped, because, about)),
    ...running.map((one) => ({ type: 'JobCancellationAsked', data: { ...about, jobId: one, because } }) as const),
    { type: 'JobQueued', data: { ...about, ...job, ownerId: state.spec.ownerId } },
    ...(running.length > 0 ? [] : [admit(job, state, about)]),
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
  if (waitingIn(state).some(({ kind }) => kind === 'apply-firewall')) return [event]
  const job = { jobId, kind: 'apply-firewall', change: { kind: 'apply-firewall' } } as const
  return [
    event,
    { type: 'JobQueued', data: { ...about, ...job, ownerId: state.spec.ownerId } },
    ...(isFree(state) ? [admit(job, afterAll(state, [event]), about)] : []),
  ]
}

const changeSettings = ({ datastoreId, settings, now }: ChangeSettings['data'], state: Live): Decided =>
  unfitness(state) ?? [{ type: 'SettingsChanged', data: { datastoreId, at: now, settings } }]

const stopJob = ({ datastoreId, jobId, because, now }: StopJob['data'], state: Live): Decided => {
  const about = { datastoreId, at: now }
  if (state.failover?.jobId === jobId) return reject('job-must-be-done', 'a datastore without a primary is not left so')
  const job = state.queue.find((one) => one.jobId === jobId)
  if (job === undefined) {
    return state.jobsSeen.has(jobId) ? [] : reject('job-not-found', `the datastore has no job ${jobId}`)
  }
  if (job.change !== undefined && mustBeDone(job.change.kind)) {
    return reject('job-must-be-done', 'the job carries out what holds already; it cannot be taken back')
  }
  if (state.atWork === jobId) return [{ type: 'JobCancellationAsked', data: { ...about, jobId, because } }]
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
  return [begun, queued, ...(isFree(state) ? [admit(job, state, { datastoreId, at })] : [])]
}

const endJob = (data: RecordJobEnded['data'], state: Live): Decided => {
  const { datastoreId, jobId, end, because, now } = data
  const about = { datastoreId, at: now }
  const { failover } = state
  if (failover?.jobId === jobId) {
    const ended = endFailover(failover, data, state)
    return [...ended, ...goOn(afterAll(state, ended), about)]
  }
  const work = workOf(state)
  if (work?.jobId !== jobId) return []
  const nodes = (work.epoch ?? 0) < state.primacy.epoch ? inTheirRoles(data.nodes, state) : data.nodes
  const ended: readonly DatastoreEvent[] = [
    outcomeOf(work, state, { end, because, nodes, about }),
    ...(end === 'finished' ? recoveredBy(work.change, state, about) : []),
    { type: 'JobEnded', data: { ...about, jobId, kind: work.kind, end, because } },
  ]
  return [...ended, ...goOn(afterAll(state, ended), about)]
}

/** What a job knows of roles that was admitted before the last failover is of long ago. */
const inTheirRoles = (found: readonly NodeState[], { nodes }: Live): readonly NodeState[] =>
  found.map((node) => ({ ...node, role: nodes.find(({ nodeId }) => nodeId === node.nodeId)?.role ?? 'replica' }))
