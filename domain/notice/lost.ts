import type {
  FailoverHeldBack, JobQueued, NodeLost, NodeRecovered, PrimaryChanged, PrimaryRecovered, ServerRestarted,
} from '../datastore/messages.ts'
import type { Notice } from './notice.ts'

const KIB = 1_024
const SECOND_MS = 1_000

const seconds = (ms: number): string => `${(ms / SECOND_MS).toFixed(1)} s`

const sized = (bytes: number): string => {
  if (bytes < KIB) return `${bytes} bytes`
  return bytes < KIB * KIB ? `${(bytes / KIB).toFixed(1)} KiB` : `${(bytes / KIB / KIB).toFixed(1)} MiB`
}

const lostOf = (bytes: number | null): string => {
  if (bytes === null) return 'How much of what was written last is lost is not known.'
  return bytes === 0
    ? 'Nothing that was acknowledged is lost.'
    : `Of what was written last, at most ${sized(bytes)} of the log is lost.`
}

/** Another node has become the primary. */
export const ofPrimaryChanged = ({ data }: PrimaryChanged): Notice => {
  const { lastSeenAt, writesBackAt, lostBytesMax, fencedBy, because } = data
  const out = seconds(Math.max(0, Date.parse(writesBackAt) - Date.parse(lastSeenAt)))
  const isWhole = lostBytesMax === 0
  return {
    subject: 'has another primary',
    happened:
      'Its primary was lost, and a replica has taken its place. ' +
      `Writes were not taken for ${out} at most, from ${lastSeenAt} on. ` +
      lostOf(lostBytesMax) +
      (fencedBy === 'nothing' ? ' Whether the former primary took writes meanwhile is not known; what it took is not kept.' : ''),
    because,
    advice: isWhole
      ? 'There is nothing to do.'
      : `Look whether what was written right before ${lastSeenAt} is there. With “synchronous” on, nothing acknowledged is lost.`,
  }
}

/** The primary was lost, and is back without another having taken its place. */
export const ofPrimaryRecovered = ({ data: { lastSeenAt, at } }: PrimaryRecovered): Notice => ({
  subject: 'has its primary back',
  happened:
    `Its primary, lost at ${lastSeenAt}, answers again. No other node has taken its place, and nothing is lost by that. ` +
    `Writes were not taken for ${seconds(Math.max(0, Date.parse(at) - Date.parse(lastSeenAt)))} at most.`,
  because: null,
  advice: 'There is nothing to do.',
})

/** The primary is lost, and no other takes its place for now. */
export const ofHold = ({ data: { until, because } }: FailoverHeldBack): Notice => ({
  subject: 'takes no writes, and is left alone for now',
  happened: `Its primary is lost, and no replica takes its place by itself before ${until}.`,
  because,
  advice: 'Look at its outages for what its nodes have in common, such as too little memory or too slow a volume.',
})

/** A node that is no primary among others is lost. */
export const ofNodeLost = ({ data: { datastoreId, nodeId, since, because, at } }: NodeLost): Notice => ({
  subject: 'has lost a node',
  happened:
    `One of its nodes does not do its part since ${since}, and is being brought back. Where it is the only node, nothing is ` +
    'read or written until then; where “synchronous” is on and it was the last replica, nothing is written.',
  because: `${because}.`,
  advice: 'There is nothing to do. Its outages say when the node is back.',
  mark: `node lost ${datastoreId} ${nodeId} ${hourOf(at)}`,
})

/** A node that was lost does its part again. */
export const ofNodeRecovered = ({ data: { datastoreId, nodeId, downMs, at } }: NodeRecovered): Notice => ({
  subject: 'has a lost node back',
  happened: `A node that was lost does its part again, after ${seconds(downMs)}.`,
  because: null,
  advice: 'There is nothing to do.',
  mark: `node recovered ${datastoreId} ${nodeId} ${hourOf(at)}`,
})

/** A server died and was started again where it was. */
export const ofServerRestarted = ({ data: { datastoreId, nodeId, role, downSince, backAt, at } }: ServerRestarted): Notice => {
  const out = seconds(Math.max(0, Date.parse(backAt) - Date.parse(downSince)))
  return {
    subject: `had its ${role} started again`,
    happened:
      `The server of its ${role} died, and was started again where it was. It did not answer for ${out} at most, ` +
      `from ${downSince} on. Nothing that was acknowledged is lost.`,
    because: null,
    advice: 'There is nothing to do. Should it happen again, look at its outages, and whether its nodes have memory enough.',
    mark: `server restarted ${datastoreId} ${nodeId} ${hourOf(at)}`,
  }
}

/** A node that was lost for too long gets a successor; undefined for any other job. */
export const ofRepair = ({ data: { change, at, datastoreId } }: JobQueued): Notice | undefined => {
  if (change?.kind !== 'repair-node' || change.replacement === null) return undefined
  return {
    subject: 'has lost a node, which is being replaced',
    happened: 'One of its nodes was lost for longer than its settings allow. Another comes, with the same data.',
    because: null,
    advice: 'There is nothing to do.',
    // One that fails is tried again and again.
    mark: `repair ${datastoreId} ${change.nodeId} ${dayOf(at)}`,
  }
}

/** A failover has come to nothing. */
export const ofFailedFailover = (datastoreId: string, because: string | null, at: string): Notice => ({
  subject: 'has lost its primary, and no replica could take its place',
  happened: 'Its primary was lost. No replica could take its place, and what had been done for that is undone.',
  because,
  advice:
    'It is tried again as long as the primary is away. If to take writes counts for more than to lose nothing, set “prefer” of ' +
    'its high availability to “availability”.',
  mark: `failover failed ${datastoreId} ${hourOf(at)}`,
})

const dayOf = (at: string): string => at.slice(0, '2030-01-01'.length)
const hourOf = (at: string): string => at.slice(0, '2030-01-01T12'.length)
