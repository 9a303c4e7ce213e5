import { isDueAgain, isFresh } from '../failover/back-off.ts'
import { isRejection } from '../kernel/decider.ts'
import { type Instant, msBetween } from '../kernel/time.ts'
import { afterAll, change } from './admission.ts'
import { type Change, changed } from './changes/index.ts'
import { isPrimary } from './changes/rule.ts'
import { highAvailabilityOf } from './high-availability.ts'
import type { DatastoreEvent, RecordServerRestart, ReportNodeBack, ReportNodeSilent, ReportNodeWell } from './messages.ts'
import { drop } from './outcome.ts'
import { type Live, workOf } from './state.ts'

/** Between two attempts to make the same node whole in the same way. */
const AGAIN_AFTER = { firstMs: 60_000, maxMs: 600_000 }

/** Whether the node is looked after: it was seen lately, the datastore runs, nobody stops it, and no failover is at it. */
const isTended = (state: Live, { nodeId, observedAt, now }: ReportNodeBack['data']): boolean =>
  isFresh(observedAt, now) &&
  state.status === 'running' &&
  state.spec.stopped !== true &&
  state.failover === null &&
  workOf(state)?.kind !== 'stop-datastore' &&
  state.nodes.some((node) => node.nodeId === nodeId)

const aboutNode = (wanted: Change | undefined): string | undefined =>
  wanted?.kind === 'rejoin-node' || wanted?.kind === 'repair-node' ? wanted.nodeId : undefined

/** A job that makes it whole, unless one is at it or waits, or one of the same kind has only just come to nothing. */
const mended = (wanted: Change, { jobId, nodeId, now }: ReportNodeBack['data'], state: Live): readonly DatastoreEvent[] => {
  if (state.queue.some((job) => aboutNode(job.change) === nodeId)) return []
  const tries = [...state.past.values()].filter(({ kind, change: one }) => kind === wanted.kind && aboutNode(one) === nodeId)
  if (!isDueAgain(tries, AGAIN_AFTER, now)) return []
  const decision = change({ datastoreId: state.datastoreId, jobId, change: wanted, now }, state)
  return isRejection(decision) ? [] : decision
}

/** Another one in its place, of its size and in its zone; undefined where its name is taken. */
const replacing = ({ spec: { nodes } }: Live, { nodeId, fresh }: ReportNodeSilent['data']): Change | undefined => {
  const old = nodes.find((node) => node.nodeId === nodeId)
  const isTaken = nodes.some((node) => node.nodeId === fresh.nodeId || node.name === fresh.name)
  return old === undefined || isTaken ? undefined : { kind: 'repair-node', nodeId, replacement: { ...old, ...fresh } }
}

/** What is done about a silent node. The machine of a primary is booted; whether another takes its place is said otherwise. */
const remedyFor = (seen: ReportNodeSilent['data'], state: Live): Change | undefined => {
  const { nodeId, since, observedAt } = seen
  if (state.nodes.length === 1) return { kind: 'repair-node', nodeId, replacement: null }
  // Whether the machine of a primary is off cannot be told while nobody answers who could be asked about it.
  if (isPrimary(state, nodeId)) return { kind: 'rejoin-node', nodeId }
  const isLong = msBetween(since, observedAt) >= 1_000 * highAvailabilityOf(state.spec).repairAfterSeconds
  return isLong ? replacing(state, seen) : { kind: 'rejoin-node', nodeId }
}

/** What follows when a node has been silent for some time. */
export const reportNodeSilent = (seen: ReportNodeSilent['data'], state: Live): readonly DatastoreEvent[] => {
  const { datastoreId, nodeId, since, machineAnswers, now } = seen
  if (!isTended(state, seen)) return []
  const known = state.lost[nodeId]
  const because = machineAnswers ? 'its server does not answer, its machine does' : 'neither its server nor its machine answers'
  const told: readonly DatastoreEvent[] =
    known !== undefined && known >= since
      ? []
      : [{ type: 'NodeLost', data: { datastoreId, at: now, nodeId, since, because } }]
  const remedy = remedyFor(seen, state)
  if (remedy === undefined) return told
  const given = remedy.kind === 'repair-node' && !machineAnswers ? givingUp(seen, state) : []
  return [...told, ...given, ...mended(remedy, seen, afterAll(state, [...told, ...given]))]
}

/** A machine that has been silent for too long is not waited for any more; what copies data onto one that answers is. */
const givingUp = ({ datastoreId, nodeId, now }: ReportNodeSilent['data'], state: Live): readonly DatastoreEvent[] => {
  const job = state.queue.find(({ change: one }) => one?.kind === 'rejoin-node' && one.nodeId === nodeId)
  if (job === undefined || job.stopping === true) return []
  const because = 'the machine is silent for too long, and is to be replaced'
  const about = { datastoreId, at: now }
  if (state.atWork !== job.jobId) return drop(job, because, about)
  return [{ type: 'JobCancellationAsked', data: { ...about, jobId: job.jobId, because } }]
}

/** Whether a job leads the nodes to another primary, or has only just done so: until then replicas are apart on purpose. */
const isHandingOver = (state: Live, observedAt: Instant): boolean => {
  const wanted = workOf(state)?.change
  const after = wanted === undefined ? state.nodes : changed(state, wanted).nodes
  const isLed = after.some(({ nodeId, role }) => role === 'primary' && !isPrimary(state, nodeId))
  return isLed || [...state.past.values()].some(({ endedAt }) => endedAt >= observedAt)
}

/** What follows when the machine of a lost node answers again, or a replica does not stream. It is told again while it is so. */
export const reportNodeBack = (seen: ReportNodeBack['data'], state: Live): readonly DatastoreEvent[] => {
  const { nodeId, observedAt } = seen
  if (!isTended(state, seen) || isPrimary(state, nodeId) || isHandingOver(state, observedAt)) return []
  return mended({ kind: 'rejoin-node', nodeId }, seen, state)
}

/**
 * What follows when a node that was told to be lost does its part again: that is told. Where a job at it came to nothing
 * meanwhile, another one sees to the rest, such as its name.
 */
export const reportNodeWell = (seen: ReportNodeWell['data'], state: Live): readonly DatastoreEvent[] => {
  const { datastoreId, nodeId, observedAt, now } = seen
  if (state.status !== 'running' || !state.nodes.some((node) => node.nodeId === nodeId)) return []
  const about = { datastoreId, at: now }
  const { lostSince } = state.primacy
  const since = state.lost[nodeId]
  const isBack = since !== undefined && since < observedAt
  const told = isBack ? recovered(state, nodeId, observedAt, about) : []
  if (!isPrimary(state, nodeId)) {
    const isUnfinished = [...state.past.values()].some(
      (job) => aboutNode(job.change) === nodeId && job.end !== 'finished' && since !== undefined && job.endedAt > since,
    )
    if (!isBack || !isUnfinished || !isTended(state, seen)) return told
    return [...told, ...mended({ kind: 'rejoin-node', nodeId }, seen, afterAll(state, told))]
  }
  if (lostSince === null || lostSince >= observedAt) return told
  const all: readonly DatastoreEvent[] = [
    { type: 'PrimaryRecovered', data: { ...about, primaryId: nodeId, lastSeenAt: lostSince } }, ...told,
  ]
  return isUnnamed(state) && isTended(state, seen)
    ? [...all, ...mended({ kind: 'rejoin-node', nodeId }, seen, afterAll(state, all))]
    : all
}

/** Whether the failover that made the primary what it is was given up before it could lead everyone to it. */
const isUnnamed = ({ past, primacy: { since } }: Live): boolean =>
  [...past.values()].some(({ kind, end, endedAt }) => kind === 'fail-over' && end === 'failed' && endedAt === since)

/** A server that was started again where it was is told of once. */
export const recordServerRestart = (seen: RecordServerRestart['data'], state: Live): readonly DatastoreEvent[] => {
  const { datastoreId, nodeId, role, downSince, backAt, now } = seen
  const known = state.restarted[nodeId]
  if (!state.nodes.some((node) => node.nodeId === nodeId) || (known !== undefined && known >= backAt)) return []
  const about = { datastoreId, at: now }
  return [
    { type: 'ServerRestarted', data: { ...about, nodeId, role, downSince, backAt } },
    ...recovered(state, nodeId, backAt, about),
  ]
}

type About = { readonly datastoreId: string; readonly at: string }

const recovered = ({ lost }: Live, nodeId: string, at: string, about: About): readonly DatastoreEvent[] => {
  const since = lost[nodeId]
  return since === undefined ? [] : [{ type: 'NodeRecovered', data: { ...about, nodeId, downMs: msBetween(since, at) } }]
}

/** The node that a finished job has made whole again, if it was lost. */
export const recoveredBy = (wanted: Change | undefined, state: Live, about: About): readonly DatastoreEvent[] => {
  if (wanted?.kind !== 'rejoin-node' && !(wanted?.kind === 'repair-node' && wanted.replacement === null)) return []
  return recovered(state, wanted.nodeId, about.at, about)
}
