import { CommandFailed } from '../../host.ts'
import type { ReachedNode } from '../engine.ts'
import { layoutOf } from './layout.ts'

/** Where a cluster's data come from: made once, then a timeline for each promotion. */
export type Lineage = {
  readonly system: string
  readonly timeline: number
  /** The history of that timeline: each earlier one, its end, and the names of the promotions. Empty for the first. */
  readonly history: string
}

const timelineName = (timeline: number): string => timeline.toString(16).toUpperCase().padStart(8, '0')

/** The history of a timeline as it lies on the node; undefined when it is not there. */
export const historyOf = async ({ host }: ReachedNode, timeline: number): Promise<string | undefined> =>
  timeline === 1 ? '' : host.read(`${layoutOf(host).data}/pg_wal/${timelineName(timeline)}.history`)

/** $1 is the cluster: what the control file says, then the newest timeline of which there is log. */
const TOLD = `
pg_controldata -D "$1" || exit 1
find "$1/pg_wal" -maxdepth 1 -name '????????????????????????' -printf 'Log: %f\\n' | sort | tail -n 1
`

/**
 * The lineage of the data on a machine, whether its server runs or not.
 *
 * @returns undefined when they tell of none
 */
export const lineageOf = async (node: ReachedNode): Promise<Lineage | undefined> => {
  const { host, signal } = node
  let told: string
  try {
    told = await host.run(['sh', '-c', TOLD, 'lineage', layoutOf(host).data], { env: { LC_ALL: 'C' }, signal })
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof CommandFailed) return undefined
    throw error
  }
  const field = (name: string): string => new RegExp(`^${name}: +(.*)$`, 'm').exec(told)?.[1] ?? ''
  const system = field('Database system identifier')
  const timeline = Math.max(
    Number(field("Latest checkpoint's TimeLineID")),
    Number(field("Min recovery ending loc's timeline")),
    Number.parseInt(field('Log').slice(0, 8) || '0', 16),
  )
  const history = Number.isSafeInteger(timeline) && timeline > 0 ? await historyOf(node, timeline) : undefined
  return history === undefined ? undefined : { system, timeline, history }
}

/**
 * Whether data of one lineage have gone the same way as the other's, up to its newest timeline at least. The number of a timeline
 * does not tell, for two replicas that were promoted apart from each other have the same; the names of the promotions do, and
 * each history begins with that of the timeline it came from.
 */
export const descends = (other: Lineage, from: Lineage): boolean => {
  if (other.system !== from.system || from.timeline > other.timeline) return false
  if (from.timeline === other.timeline) return from.history === other.history
  const rest = other.history.startsWith(from.history) ? other.history.slice(from.history.length).trimStart() : ''
  return rest.startsWith(`${from.timeline}\t`)
}

const bytesOf = (high: string, low: string): number => Number.parseInt(high, 16) * 2 ** 32 + Number.parseInt(low, 16)

/** Where a timeline ended for those of a later one, in bytes; undefined: it has not. */
export const endIn = ({ history }: Lineage, timeline: number): number | undefined => {
  const [, high, low] = new RegExp(`^${timeline}\\t([0-9A-F]+)/([0-9A-F]+)\\t`, 'm').exec(history) ?? []
  return high === undefined || low === undefined ? undefined : bytesOf(high, low)
}

/** Where the timeline of a history began, in bytes: the end of the one before, which is named last. Null: it is the first. */
export const beginningIn = (history: string): number | null => {
  const [, high, low] = [...history.matchAll(/^\d+\t([0-9A-F]+)\/([0-9A-F]+)\t/gm)].at(-1) ?? []
  return high === undefined || low === undefined ? null : bytesOf(high, low)
}
