import { withinAnHour } from '../failover/flap.ts'
import { changed } from './changes/index.ts'
import { settled } from './high-availability.ts'
import type { DatastoreCreated, DatastoreEvent, JobAdmitted, JobQueued, PrimaryChanged, ServerRestarted } from './messages.ts'
import type { PastJob } from './retry.ts'
import type { NodeState } from './spec.ts'
import type { Datastore, Live, Primacy, QueuedJob } from './state.ts'
import { trustedAfter } from './trust.ts'
import { builtAfter } from './upgrade.ts'

const NO_PRIMACY: Primacy = { epoch: 0, since: null, failovers: [], heldUntil: null, lostSince: null }

/** The state of a datastore after one more of its events. */
export const evolve = (state: Datastore, event: DatastoreEvent): Datastore => {
  if (event.type === 'DatastoreCreated') return created(event)
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
      const { change, nodes, at } = event.data
      const isSame = primaryOf(nodes) === primaryOf(state.nodes)
      const known = isSame ? state.primacy : { ...state.primacy, since: at }
      // A job ends with a look at every node that it goes by; one of a failover does not.
      const primacy = state.failover === null ? answering(known) : known
      return { ...state, spec: changed(state, change).spec, nodes, primacy, lost: lostAmong(state, nodes) }
    }
    case 'JobQueued':
      return queued(state, event)
    case 'JobDropped':
      return over(state, event.data, 'dropped')
    case 'JobEnded':
      return over(state, event.data, event.data.end)
    case 'JobAdmitted':
      return admitted(state, event)
    case 'PrimaryChanged':
      return primaryChanged(state, event)
    case 'FailoverHeldBack':
      return { ...state, primacy: { ...state.primacy, heldUntil: event.data.until, lostSince: event.data.lastSeenAt } }
    case 'PrimaryRecovered':
      return { ...state, primacy: answering(state.primacy) }
    // A failover that was given up counts: whoever took over by it was lost as well.
    case 'JobAbandonmentAsked':
      return { ...state, primacy: { ...state.primacy, failovers: oneMore(state.primacy, event.data.at) } }
    case 'NodeLost':
      return { ...state, lost: { ...state.lost, [event.data.nodeId]: event.data.since } }
    case 'NodeRecovered':
      return { ...state, lost: without(state.lost, event.data.nodeId) }
    case 'ServerRestarted':
      return serverRestarted(state, event)
    case 'JobCancellationAsked': {
      const { jobId } = event.data
      return { ...state, queue: state.queue.map((job) => (job.jobId === jobId ? { ...job, stopping: true } : job)) }
    }
    case 'ChangeAbandoned':
      return state
  }
}

const created = ({ data: { datastoreId, spec, fingerprint } }: DatastoreCreated): Datastore => ({
  status: 'deploying', datastoreId, spec, fingerprint,
  nodes: [], queue: [], atWork: null, failover: null, epoch: 0, primacy: NO_PRIMACY, lost: {}, restarted: {},
  jobsSeen: new Set<string>(), past: new Map<string, PastJob>(), built: {},
})

/** The status a job leaves behind, unless the datastore is on its way out already. */
const after = <S extends 'running' | 'deploy-failed'>(state: Live, status: S) =>
  state.status === 'deleting' || state.status === 'deleted' ? state.status : status

const answering = (primacy: Primacy): Primacy => ({ ...primacy, heldUntil: null, lostSince: null })

const serverRestarted = (state: Live, { data: { nodeId, backAt } }: ServerRestarted): Live => ({
  ...state,
  restarted: { ...state.restarted, [nodeId]: backAt },
  primacy: nodeId === primaryOf(state.nodes) ? answering(state.primacy) : state.primacy,
})

const primaryOf = (nodes: readonly NodeState[]): string | undefined => nodes.find(({ role }) => role === 'primary')?.nodeId

const without = (lost: Live['lost'], nodeId: string): Live['lost'] =>
  Object.fromEntries(Object.entries(lost).filter(([one]) => one !== nodeId))

const lostAmong = ({ lost }: Live, nodes: readonly NodeState[]): Live['lost'] =>
  Object.fromEntries(Object.entries(lost).filter(([one]) => nodes.some(({ nodeId }) => nodeId === one)))

/** A failover waits for nobody; whoever makes a node whole again, for none but the one at work. */
const queued = (state: Live, { data: { jobId, kind, change } }: JobQueued): Live => {
  const jobsSeen = new Set([...state.jobsSeen, jobId])
  if (change?.kind === 'fail-over') return { ...state, jobsSeen, primacy: { ...state.primacy, lostSince: change.lastSeenAt } }
  const job: QueuedJob = { jobId, kind, ...(change === undefined ? {} : { change }) }
  const front = kind === 'rejoin-node' ? state.queue.filter((one) => one.jobId === state.atWork) : state.queue
  const behind = state.queue.filter((one) => !front.includes(one))
  return { ...state, queue: [...front, job, ...behind], jobsSeen }
}

const admitted = (state: Live, { data }: JobAdmitted): Live => {
  const { jobId, at, input: { epoch = 0, change } } = data
  const begun = { ...state, built: builtAfter(state.built, data), epoch: Math.max(epoch, state.epoch) }
  if (change?.kind === 'fail-over') return { ...begun, failover: { jobId, epoch, change, begunAt: at } }
  const queue = state.queue.map((job) => (job.jobId === jobId ? { ...job, epoch } : job))
  return { ...begun, atWork: jobId, queue }
}

const oneMore = ({ failovers }: Primacy, at: string): readonly string[] => withinAnHour([...failovers, at])

const primaryChanged = (state: Live, { data: { at, epoch, primaryId, formerId, lastSeenAt } }: PrimaryChanged): Live => {
  const roleOf = (nodeId: string) => (nodeId === primaryId ? 'primary' : 'replica')
  return {
    ...state,
    nodes: state.nodes.map((node) => ({ ...node, role: roleOf(node.nodeId) })),
    primacy: { ...answering(state.primacy), epoch, since: at, failovers: oneMore(state.primacy, at) },
    lost: { ...without(state.lost, primaryId), [formerId]: lastSeenAt },
  }
}

type Over = { readonly jobId: string; readonly at: string }

const over = (before: Live, { jobId, at: endedAt }: Over, end: PastJob['end']): Live => {
  const { failover } = before
  const isFailover = failover?.jobId === jobId
  const queued = before.queue.find((one) => one.jobId === jobId)
  const job = isFailover ? { kind: 'fail-over' as const, change: failover.change } : queued
  const state = {
    ...before,
    queue: before.queue.filter((one) => one.jobId !== jobId),
    atWork: before.atWork === jobId ? null : before.atWork,
    failover: isFailover ? null : failover,
  }
  if (job === undefined) return state
  const ended: PastJob = { kind: job.kind, end, endedAt, ...(job.change === undefined ? {} : { change: job.change }) }
  return { ...state, past: new Map([...state.past, [jobId, ended]]) }
}
