import { reject } from '../kernel/decider.ts'
import { changed } from './changes/index.ts'
import type { Live, QueuedJob } from './state.ts'
import type { DatastoreEvent, RecordJobEnded } from './messages.ts'

type About = { readonly datastoreId: string; readonly at: string }

/** Why nothing can be changed any more, or never could. */
export const unfitness = ({ status, datastoreId }: Live) => {
  switch (status) {
    case 'deleted':
      return reject('datastore-not-found', `datastore ${datastoreId} is deleted`)
    case 'deleting':
      return reject('datastore-not-running', `datastore ${datastoreId} is being deleted`)
    case 'deploy-failed':
      return reject('datastore-not-running', `datastore ${datastoreId} was never deployed`)
    case 'deploying':
    case 'running':
      return undefined
  }
}

/** A job that never begins. */
export const drop = ({ jobId, kind, change: wanted }: QueuedJob, because: string, about: About): readonly DatastoreEvent[] => [
  ...(wanted === undefined ? [] : [{ type: 'ChangeAbandoned', data: { ...about, jobId, change: wanted, because } } as const]),
  { type: 'JobDropped', data: { ...about, jobId, kind, because } },
]

/** What a job that has come to its end means for its datastore. */
export const outcomeOf = (
  { jobId, kind, change: wanted }: QueuedJob,
  state: Live,
  { end, because, nodes, about }: Pick<RecordJobEnded['data'], 'end' | 'because' | 'nodes'> & { readonly about: About },
): DatastoreEvent => {
  const reason = because ?? 'the job was cancelled'
  if (wanted !== undefined) {
    const { spec } = changed(state, wanted)
    const there = nodes.filter(({ nodeId }) => spec.nodes.some((node) => node.nodeId === nodeId))
    return end === 'finished'
      ? { type: 'DatastoreChanged', data: { ...about, jobId, change: wanted, nodes: there } }
      : { type: 'ChangeAbandoned', data: { ...about, jobId, change: wanted, because: reason } }
  }
  if (kind === 'delete-datastore') {
    return end === 'finished'
      ? { type: 'DatastoreDeleted', data: about }
      : { type: 'DeletionAbandoned', data: { ...about, because: reason } }
  }
  return end === 'finished'
    ? { type: 'DatastoreDeployed', data: { ...about, nodes } }
    : { type: 'DeploymentFailed', data: { ...about, because: reason } }
}
