import type { Instant } from '../kernel/time.ts'
import type { Resource, Segment } from './meter.ts'

/** What is known of a datastore's use, living or deleted. */
export type Usage = {
  readonly datastoreId: string
  readonly ownerId: string
  readonly vendor: string
  readonly type: string
  readonly createdAt: Instant
  /** When its deletion was asked for. */
  readonly deletedAt: Instant | null
  readonly segments: readonly Segment[]
}

/** From an instant to before another; both in milliseconds since 1970. */
export type Window = { readonly fromMs: number; readonly untilMs: number }

/** A line of a bill and the events it comes from. */
export type InstanceLine = { readonly code: string; readonly hours: number; readonly events: readonly string[] }
export type VolumeLine = {
  readonly type: string
  /** At the end of the window. */
  readonly iops: number
  readonly iopsHours: number
  readonly gibHours: number
  readonly averageGib: number
  readonly events: readonly string[]
}

export type Bill = {
  /** At the end of the window, or of the datastore's life. */
  readonly nodes: number
  /** Null as long as it lived in the window. */
  readonly deletedAt: Instant | null
  readonly instances: readonly InstanceLine[]
  readonly volumes: readonly VolumeLine[]
}

const HOUR_MS = 3_600_000
const DECIMALS = 1e6

const rounded = (value: number): number => Math.round(value * DECIMALS) / DECIMALS

const beginsMs = ({ from }: Segment): number => Date.parse(from)
const endsMs = ({ until }: Segment): number => (until === null ? Infinity : Date.parse(until))

/** How long a segment lasted within the window, in milliseconds. */
const withinMs = (segment: Segment, { fromMs, untilMs }: Window): number =>
  Math.max(0, Math.min(endsMs(segment), untilMs) - Math.max(beginsMs(segment), fromMs))

/** Whether any part of the datastore's life lies in the window. */
export const livesIn = ({ createdAt, deletedAt }: Usage, { fromMs, untilMs }: Window): boolean =>
  Date.parse(createdAt) < untilMs && (deletedAt === null || Date.parse(deletedAt) >= fromMs)

const deletedIn = ({ deletedAt }: Usage, { untilMs }: Window): Instant | null =>
  deletedAt !== null && Date.parse(deletedAt) < untilMs ? deletedAt : null

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)

/**
 * What a datastore used in a window of time. It depends on nothing that happened after the window, so that a month that is
 * over always comes out the same.
 */
export const billOf = (usage: Usage, window: Window): Bill => {
  const used = usage.segments.filter((segment) => withinMs(segment, window) > 0)
  const of = (resource: Resource, code: string) => used.filter((one) => one.resource === resource && one.code === code)
  const codesOf = (...resources: readonly Resource[]) =>
    [...new Set(used.filter(({ resource }) => resources.includes(resource)).map(({ code }) => code))].toSorted()
  const hoursOf = (segments: readonly Segment[]): number =>
    sum(segments.map((one) => one.amount * withinMs(one, window))) / HOUR_MS
  const eventsOf = (segments: readonly Segment[]): readonly string[] => {
    const ended = (one: Segment): boolean => endsMs(one) <= window.untilMs
    const ids = segments.flatMap((one) => [one.from_event, ...(ended(one) && one.until_event !== null ? [one.until_event] : [])])
    return [...new Set(ids)]
  }
  const last = used.findLast(({ resource }) => resource === 'node')
  return {
    nodes: last?.amount ?? 0,
    deletedAt: deletedIn(usage, window),
    instances: codesOf('instance').map((code) => {
      const segments = of('instance', code)
      return { code, hours: rounded(hoursOf(segments)), events: eventsOf(segments) }
    }),
    volumes: codesOf('storage', 'iops').map((type) => {
      const [storage, iops] = [of('storage', type), of('iops', type)]
      const lastedHours = sum(storage.map((one) => withinMs(one, window))) / HOUR_MS
      const gibHours = hoursOf(storage)
      return {
        type,
        iops: iops.at(-1)?.amount ?? 0,
        iopsHours: rounded(hoursOf(iops)),
        gibHours: rounded(gibHours),
        averageGib: lastedHours === 0 ? 0 : rounded(gibHours / lastedHours),
        events: eventsOf([...storage, ...iops]),
      }
    }),
  }
}
