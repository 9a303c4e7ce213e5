import type { Instant } from '../kernel/time.ts'
import { later, reached } from '../kernel/time.ts'
import type { Change, ChangeKind } from './changes/index.ts'
import type { JobKind, ReportDiskUsage, VolumeUsage } from './messages.ts'
import type { PastJob } from './retry.ts'
import type { Autoscale, DatastoreSpec, NodeState } from './spec.ts'

/** Where writes are held back, and where they are taken again: apart, so that it does not go to and fro. */
const GUARD_FROM_PERCENT = 90
const GUARD_UNTIL_PERCENT = 85
/** What came to nothing is not tried again at once, and what somebody called off is left alone for longer. */
const AGAIN_AFTER_FAILURE_MS = 10 * 60_000
const AGAIN_AFTER_CANCEL_MS = 60 * 60_000

/** The jobs that change how full a volume is, or what follows from it: what was seen before they ended is of long ago. */
const ABOUT_VOLUMES: readonly ChangeKind[] = ['grow-volumes', 'change-volume-type', 'set-read-only']

type Watched = {
  readonly status: string
  readonly spec: DatastoreSpec
  readonly nodes: readonly NodeState[]
  readonly lost: Readonly<Record<string, Instant>>
  readonly queue: readonly { readonly kind: JobKind }[]
  readonly past: ReadonlyMap<string, PastJob>
}
type Report = Pick<ReportDiskUsage['data'], 'volumes' | 'observedAt' | 'now'>

/**
 * What is to be done about the volumes of a datastore that are as full as was seen: they grow where its tenant lets them; writes
 * are held back where they are nearly full, and taken again where they are not any more.
 *
 * @returns undefined where nothing is: it is done already, or at work, or what was seen is of before it was done
 */
export const remedyFor = (state: Watched, { volumes, observedAt, now }: Report): Change | undefined => {
  const { spec, queue, past } = state
  const isAtWork = queue.some(({ kind }) => ABOUT_VOLUMES.some((one) => one === kind))
  const ended = [...past.values()].filter(({ kind }) => ABOUT_VOLUMES.some((one) => one === kind))
  if (state.status !== 'running' || isAtWork || ended.some(({ endedAt }) => endedAt >= observedAt)) return undefined
  const seen = volumes.filter(({ nodeId }) => spec.nodes.some((node) => node.nodeId === nodeId))
  const fullest = fullestOf(seen)
  if (fullest === undefined) return undefined
  const mayAgain = (kind: ChangeKind): boolean => isDue(ended.findLast((job) => job.kind === kind), now)
  const sizeGib = grownSize(spec, fullest)
  if (sizeGib !== undefined && mayAgain('grow-volumes')) {
    return { kind: 'grow-volumes', sizeGib, sizeGibMax: spec.autoscale?.maxGib ?? sizeGib, because: why(spec, fullest) }
  }
  // No write of now fills the volume of a node that is lost, and its data are copied anew if need be.
  const fullestInUse = fullestOf(seen.filter(({ nodeId }) => state.lost[nodeId] === undefined))
  if (fullestInUse === undefined || !mayAgain('set-read-only')) return undefined
  const percent = percentOf(fullestInUse)
  if (percent >= GUARD_FROM_PERCENT) {
    return spec.readOnly === true ? undefined : { kind: 'set-read-only', readOnly: true, because: why(spec, fullestInUse) }
  }
  const sawPrimary = seen.some(({ nodeId }) => state.nodes.some((node) => node.nodeId === nodeId && node.role === 'primary'))
  return spec.readOnly === true && sawPrimary && percent < GUARD_UNTIL_PERCENT
    ? { kind: 'set-read-only', readOnly: false, because: `no volume is ${GUARD_UNTIL_PERCENT} % full any more` }
    : undefined
}

const shareOf = ({ usedBytes, totalBytes }: VolumeUsage): number => (totalBytes > 0 ? usedBytes / totalBytes : 0)

const fullestOf = (volumes: readonly VolumeUsage[]): VolumeUsage | undefined =>
  volumes.toSorted((a, b) => shareOf(b) - shareOf(a))[0]

const percentOf = (volume: VolumeUsage): number => Math.floor(100 * shareOf(volume))

const nameOf = ({ nodes }: DatastoreSpec, { nodeId }: VolumeUsage): string =>
  nodes.find((node) => node.nodeId === nodeId)?.name ?? nodeId

const why = (spec: DatastoreSpec, volume: VolumeUsage): string =>
  `the volume of ${nameOf(spec, volume)} is ${percentOf(volume)} % full, of ${spec.volume.sizeGib} GiB`

const isDue = (last: PastJob | undefined, now: Instant): boolean => {
  if (last === undefined || last.end === 'finished') return true
  return reached(later(last.endedAt, last.end === 'failed' ? AGAIN_AFTER_FAILURE_MS : AGAIN_AFTER_CANCEL_MS), now)
}

/** As many steps as it takes for what is used to be below the threshold, within the budget. */
const grownSize = ({ autoscale, volume: { sizeGib } }: DatastoreSpec, fullest: VolumeUsage): number | undefined => {
  if (autoscale?.enabled !== true || percentOf(fullest) < autoscale.thresholdPercent) return undefined
  const target = Math.min(enoughFor(autoscale, sizeGib, shareOf(fullest)), autoscale.maxGib)
  return target > sizeGib ? target : undefined
}

const enoughFor = ({ thresholdPercent, stepPercent }: Autoscale, sizeGib: number, share: number): number => {
  const used = sizeGib * share
  let size = sizeGib
  do size = Math.max(size + 1, Math.ceil((size * (100 + stepPercent)) / 100))
  while ((100 * used) / size >= thresholdPercent)
  return size
}
