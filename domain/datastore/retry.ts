import { type Rejection, reject } from '../kernel/decider.ts'
import { anew, type Change } from './changes/index.ts'
import type { JobEnd, JobKind, RetryJob } from './messages.ts'
import type { DatastoreSpec, NodePlan } from './spec.ts'

/** A job that is over, as far as it may be asked for again. */
export type PastJob = {
  readonly kind: JobKind
  readonly change?: Change
  readonly end: JobEnd | 'dropped'
  readonly endedAt: string
}

/** What a retry of a job amounts to. */
export type Again =
  | { readonly does: 'deploy'; readonly nodes: readonly NodePlan[] }
  | { readonly does: 'delete' }
  | { readonly does: 'change'; readonly change: Change }

/** The same nodes under other ids and names, so that nothing of the machines before them is ever taken for theirs. */
const renewed = ({ nodes }: DatastoreSpec, fresh: RetryJob['data']['fresh']): readonly NodePlan[] =>
  nodes.map((node, n) => {
    const name = fresh[n]
    if (name === undefined) throw new Error('BUG: a retry brings a name for each node')
    return { ...node, ...name }
  })

/**
 * What is asked for when a job that is over is asked for again. Whether that still makes sense is decided like the request
 * it amounts to.
 */
export const again = (
  { spec }: { readonly spec: DatastoreSpec },
  past: PastJob,
  { retried, fresh }: Pick<RetryJob['data'], 'retried' | 'fresh'>,
): Again | Rejection<'job-not-retriable'> => {
  const { kind, change, end } = past
  if (end === 'finished') return reject('job-not-retriable', `job ${retried} has finished: there is nothing to do again`)
  if (kind === 'fail-over') return reject('job-not-retriable', 'a failover begins by itself, when the primary is lost')
  if (change !== undefined) return { does: 'change', change: anew(change, fresh) }
  return kind === 'delete-datastore' ? { does: 'delete' } : { does: 'deploy', nodes: renewed(spec, fresh) }
}
