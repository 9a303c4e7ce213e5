import { type Decider, type Decision, reject } from '../kernel/decider.ts'
import type {
  CreateDatastore,
  DatastoreCommand,
  DatastoreEvent,
  DatastoreRejection,
  DeleteDatastore,
  JobInput,
  JobKind,
  RecordJobEnded,
} from './messages.ts'
import type { DatastoreSpec, NodeState } from './spec.ts'

type QueuedJob = { readonly jobId: string; readonly kind: JobKind }

type Known = {
  readonly datastoreId: string
  readonly spec: DatastoreSpec
  readonly fingerprint: string
  readonly nodes: readonly NodeState[]
  /** The first is the one at work. */
  readonly queue: readonly QueuedJob[]
  readonly jobsSeen: ReadonlySet<string>
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
      case 'RecordJobEnded':
        return endJob(command.data, state)
    }
  },

  evolve(state, event) {
    if (event.type === 'DatastoreCreated') {
      const { datastoreId, spec, fingerprint } = event.data
      return { status: 'deploying', datastoreId, spec, fingerprint, nodes: [], queue: [], jobsSeen: new Set() }
    }
    if (state.status === 'absent') throw new Error(`BUG: ${event.type} before DatastoreCreated`)
    switch (event.type) {
      case 'DatastoreDeployed':
        return { ...state, status: after(state, 'running'), nodes: event.data.nodes }
      case 'DeploymentFailed':
        return { ...state, status: after(state, 'deploy-failed') }
      case 'DeletionStarted':
        return { ...state, status: 'deleting' }
      case 'DeletionAbandoned':
        return { ...state, status: state.nodes.length === 0 ? 'deploy-failed' : 'running' }
      case 'DatastoreDeleted':
        return { ...state, status: 'deleted', nodes: [] }
      case 'JobQueued': {
        const { jobId, kind } = event.data
        return { ...state, queue: [...state.queue, { jobId, kind }], jobsSeen: new Set([...state.jobsSeen, jobId]) }
      }
      case 'JobDropped':
      case 'JobEnded':
        return { ...state, queue: state.queue.filter(({ jobId }) => jobId !== event.data.jobId) }
      case 'JobAdmitted':
      case 'JobCancellationAsked':
        return state
    }
  },
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

const remove = ({ datastoreId, jobId, now }: DeleteDatastore['data'], state: Known & { status: string }): Decided => {
  if (state.status === 'deleted') return reject('datastore-not-found', `datastore ${datastoreId} is deleted`)
  if (state.status === 'deleting' || state.jobsSeen.has(jobId)) return []
  const about = { datastoreId, at: now }
  const because = 'the datastore is to be deleted'
  const job = { jobId, kind: 'delete-datastore' } as const
  const [atWork, ...waiting] = state.queue
  return [
    { type: 'DeletionStarted', data: about },
    ...waiting.map((dropped) => ({ type: 'JobDropped', data: { ...about, ...dropped, because } }) as const),
    ...(atWork ? [{ type: 'JobCancellationAsked', data: { ...about, jobId: atWork.jobId, because } } as const] : []),
    { type: 'JobQueued', data: { ...about, ...job, ownerId: state.spec.ownerId } },
    ...(atWork ? [] : [{ type: 'JobAdmitted', data: { ...about, ...job, input: inputOf(state) } } as const]),
  ]
}

const endJob = ({ datastoreId, jobId, end, because, nodes, now }: RecordJobEnded['data'], state: Known): Decided => {
  const [atWork, next] = state.queue
  if (atWork?.jobId !== jobId) return []
  const about = { datastoreId, at: now }
  const outcome = outcomeOf(atWork.kind, { end, because, nodes, about })
  // The next job must see what this one left behind.
  const left = outcome.type === 'DatastoreDeployed' ? nodes : state.nodes
  return [
    outcome,
    { type: 'JobEnded', data: { ...about, ...atWork, end, because } },
    ...(next ? [{ type: 'JobAdmitted', data: { ...about, ...next, input: inputOf({ ...state, nodes: left }) } } as const] : []),
  ]
}

const outcomeOf = (
  kind: JobKind,
  { end, because, nodes, about }: Pick<RecordJobEnded['data'], 'end' | 'because' | 'nodes'> & {
    readonly about: { readonly datastoreId: string; readonly at: string }
  },
): DatastoreEvent => {
  const reason = because ?? 'the job was cancelled'
  switch (kind) {
    case 'deploy-datastore':
      return end === 'finished'
        ? { type: 'DatastoreDeployed', data: { ...about, nodes } }
        : { type: 'DeploymentFailed', data: { ...about, because: reason } }
    case 'delete-datastore':
      return end === 'finished'
        ? { type: 'DatastoreDeleted', data: about }
        : { type: 'DeletionAbandoned', data: { ...about, because: reason } }
  }
}

const inputOf = ({ datastoreId, spec, nodes }: Known): JobInput => ({ datastoreId, spec, nodes })
