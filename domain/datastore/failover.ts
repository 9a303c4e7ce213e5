import { dueAgainAt, isFresh } from '../failover/back-off.ts'
import { heldBack } from '../failover/flap.ts'
import { lostBytesMax } from '../failover/loss.ts'
import { type Instant, later, reached } from '../kernel/time.ts'
import { type About, afterAll, goOn } from './admission.ts'
import { goingBy } from './changes/coming.ts'
import { mustBeDone, specAtWork } from './changes/index.ts'
import { isPrimary } from './changes/rule.ts'
import { highAvailabilityOf } from './high-availability.ts'
import type { DatastoreEvent, JobInput, RecordJobEnded, ReportPrimaryUnreachable } from './messages.ts'
import { outcomeOf } from './outcome.ts'
import type { DatastoreSpec } from './spec.ts'
import { type Failover, type Live, workOf } from './state.ts'

/** One that has not come to its end by then, in milliseconds, is given up once its primary is reported again. */
const FAILOVER_MAX_MS = 180_000
const AGAIN_AFTER = { firstMs: 5_000, maxMs: 300_000 }

type Seen = ReportPrimaryUnreachable['data']

/** What follows when the primary is said to answer nobody; nothing, when that is known, of before, or of another one. */
export const reportPrimaryUnreachable = (seen: Seen, state: Live): readonly DatastoreEvent[] => {
  const { failover, primacy, jobsSeen } = state
  const isOld = !isFresh(seen.observedAt, seen.now) || (primacy.since !== null && seen.observedAt <= primacy.since)
  if (isOld || jobsSeen.has(seen.jobId)) return []
  if (failover !== null) return isFutile(failover, seen) ? superseded(failover, seen, state) : []
  return mayFailOver(state) && isTheirs(seen, state) ? unlessHeldBack(seen, state, () => begun(seen, state)) : []
}

/** Whether there is anything that could take the place of the primary, and nobody has stopped it on purpose. */
const mayFailOver = (state: Live): boolean =>
  state.status === 'running' &&
  state.nodes.length > 1 &&
  state.spec.stopped !== true &&
  workOf(state)?.kind !== 'stop-datastore'

/** The primary as it is known; or the one that the job at work has made it, in its own epoch. */
const isTheirs = ({ primaryId, epoch }: Seen, state: Live): boolean => {
  if (isPrimary(state, primaryId)) return true
  const work = workOf(state)
  const nodes = work?.change === undefined ? [] : specAtWork(state, work.change).nodes
  return work?.epoch === epoch && nodes.some(({ nodeId }) => nodeId === primaryId)
}

/**
 * Whether a failover at work can lead to nothing any more: the node that it has promoted is lost as well; or it has
 * taken so long that nobody is promoted yet.
 */
const isFutile = ({ epoch, change, begunAt }: Failover, seen: Seen): boolean =>
  seen.primaryId === change.lostId
    ? seen.epoch <= epoch && reached(later(begunAt, FAILOVER_MAX_MS), seen.now)
    : seen.epoch === epoch

const aboutOf = ({ datastoreId, now }: Seen): About => ({ datastoreId, at: now })

const unlessHeldBack = (seen: Seen, state: Live, go: () => readonly DatastoreEvent[]): readonly DatastoreEvent[] => {
  const hold = heldBack(state.primacy.failovers, highAvailabilityOf(state.spec).failoversPerHourMax, seen.now)
  if (hold === undefined) return go()
  const { until, count } = hold
  if (until === state.primacy.heldUntil) return []
  const because = `it has failed over ${count === 1 ? 'once' : `${count} times`} within an hour`
  return [heldBackUntil(until, because, seen)]
}

const heldBackUntil = (until: Instant, because: string, seen: Seen): DatastoreEvent => {
  const { primaryId, lastSeenAt } = seen
  return { type: 'FailoverHeldBack', data: { ...aboutOf(seen), primaryId, lastSeenAt, until, because } }
}

const begun = (seen: Seen, state: Live): readonly DatastoreEvent[] => {
  const tries = [...state.past.values()].filter(({ kind }) => kind === 'fail-over')
  const dueAt = dueAgainAt(tries, AGAIN_AFTER)
  if (dueAt !== undefined && !reached(dueAt, seen.now)) {
    // That nobody could take its place is told already, unless it was back in the meantime.
    return state.primacy.lostSince === null ? [heldBackUntil(dueAt, 'no replica could take its place just before', seen)] : []
  }
  const work = workOf(state)
  const isStopped = work !== undefined && (work.change === undefined || !mustBeDone(work.change.kind))
  const because = `the primary is lost: ${seen.because}`
  return [
    ...admission(seen, state),
    ...(isStopped ? [{ type: 'JobCancellationAsked', data: { ...aboutOf(seen), jobId: work.jobId, because } } as const] : []),
  ]
}

/** The job of a failover waits for nobody. */
const admission = (seen: Seen, state: Live): readonly DatastoreEvent[] => {
  const { datastoreId, jobId, primaryId: lostId, lastSeenAt, observedAt, because, positionBytes: lastKnownBytes } = seen
  const about = aboutOf(seen)
  const kind = 'fail-over'
  const change = { kind, lostId, lastSeenAt, observedAt, because, lastKnownBytes } as const
  const nodes = state.nodes.map((node) => ({ ...node, role: node.nodeId === lostId ? 'primary' : 'replica' } as const))
  const input: JobInput = { datastoreId, spec: specOf(state, lostId), nodes, change, epoch: state.epoch + 1 }
  return [
    { type: 'JobQueued', data: { ...about, jobId, kind, change, ownerId: state.spec.ownerId } },
    { type: 'JobAdmitted', data: { ...about, jobId, kind, input } },
  ]
}

/** Nobody takes over who is about to go, or who has only just come. The lost one may be such. */
const specOf = (state: Live, lostId: string): DatastoreSpec => {
  const change = workOf(state)?.change
  const all = change === undefined ? state.spec.nodes : specAtWork(state, change).nodes
  const going = change === undefined ? [] : goingBy(change)
  const isMember = (nodeId: string): boolean => state.spec.nodes.some((node) => node.nodeId === nodeId) && !going.includes(nodeId)
  return { ...state.spec, nodes: all.filter(({ nodeId }) => nodeId === lostId || isMember(nodeId)) }
}

const givenUp = ({ jobId, change }: Failover, because: string, about: About): readonly DatastoreEvent[] => [
  { type: 'JobAbandonmentAsked', data: { ...about, jobId, because } },
  { type: 'ChangeAbandoned', data: { ...about, jobId, change, because } },
  { type: 'JobEnded', data: { ...about, jobId, kind: 'fail-over', end: 'failed', because } },
]

/** The one that is reported was made the primary by the failover at work, or it would not be looked for as such. */
const takenOver = ({ jobId, epoch, change }: Failover, seen: Seen): DatastoreEvent => {
  const { datastoreId, primaryId, lastSeenAt: writesBackAt, now } = seen
  const { lostId: formerId, lastSeenAt, because } = change
  const about = { datastoreId, at: now }
  return {
    type: 'PrimaryChanged',
    data: { ...about, jobId, epoch, formerId, primaryId, lostBytesMax: null, lastSeenAt, because, writesBackAt },
  }
}

/** Another failover takes the place of the one at work; where the datastore is to go, its deletion does. */
const superseded = (failover: Failover, seen: Seen, state: Live): readonly DatastoreEvent[] => {
  const about = aboutOf(seen)
  const taken = seen.primaryId === failover.change.lostId ? [] : [takenOver(failover, seen)]
  const abandoned = [...taken, ...givenUp(failover, `it can lead to nothing any more: ${seen.because}`, about)]
  const left = afterAll(state, abandoned)
  if (!mayFailOver(state)) return [...abandoned, ...goOn(left, about)]
  return unlessHeldBack(seen, state, () => [...abandoned, ...admission(seen, left)])
}

/** What the end of a failover means: another node is the primary, or none could be. */
export const endFailover = (failover: Failover, ended: RecordJobEnded['data'], state: Live): readonly DatastoreEvent[] => {
  const { datastoreId, end, because, failover: learnt = {}, now } = ended
  const { jobId, change, epoch } = failover
  const about = { datastoreId, at: now }
  const { elected } = learnt
  const job = { jobId, kind: 'fail-over', change } as const
  const nodes = state.nodes.map((node) => ({ ...node, role: node.nodeId === elected ? 'primary' : 'replica' } as const))
  const closing: DatastoreEvent = { type: 'JobEnded', data: { ...about, jobId, kind: 'fail-over', end, because } }
  const outcome = (of: typeof end): DatastoreEvent => outcomeOf(job, state, { end: of, because, nodes, about })
  if (end !== 'finished' || elected === undefined) return [outcome('failed'), closing]
  const { lostId, lastSeenAt, because: why, lastKnownBytes } = change
  const { synchronous } = highAvailabilityOf(state.spec)
  const replicas = state.nodes.map(({ nodeId }) => nodeId).filter((nodeId) => nodeId !== lostId)
  const { fencedBy = 'nothing', writesBackAt = now } = learnt
  const changed: DatastoreEvent = {
    type: 'PrimaryChanged',
    data: {
      ...about, jobId, epoch, formerId: lostId, primaryId: elected,
      lostBytesMax: lostBytesMax(learnt, { lastKnownBytes, synchronous, replicas }),
      fencedBy, lastSeenAt, because: why, writesBackAt,
    },
  }
  return [outcome(end), changed, closing]
}
