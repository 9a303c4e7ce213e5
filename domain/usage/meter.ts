import type { Shape } from '../datastore/changes/index.ts'
import type { Instant } from '../kernel/time.ts'

/** What is charged for. `node`: nodes there are; `instance`: those that run, by size; `storage` in GiB; `iops` as asked for. */
export type Resource = 'node' | 'instance' | 'storage' | 'iops'

/** So much of a resource, by its code in the catalogue. */
export type Amount = { readonly resource: Resource; readonly code: string; readonly amount: number }

/** The time during which an amount stayed the same, and the events that began and ended it. */
export type Segment = Amount & {
  readonly from: Instant
  readonly from_event: string
  /** Null while it lasts. */
  readonly until: Instant | null
  readonly until_event: string | null
}

/** What a datastore uses while it is of this shape. */
export const amountsOf = ({ spec, nodes }: Shape): readonly Amount[] => {
  const plans = spec.nodes.filter(({ nodeId }) => nodes.some((node) => node.nodeId === nodeId))
  const { type, sizeGib, iops } = spec.volume
  const codes = [...new Set(plans.map(({ instance }) => instance.code))].toSorted()
  return [
    { resource: 'node', code: 'node', amount: plans.length } as const,
    // The machines of a stopped datastore are off; their volumes are there.
    ...(spec.stopped === true ? [] : codes).map((code) => {
      const amount = plans.filter(({ instance }) => instance.code === code).length
      return { resource: 'instance', code, amount } as const
    }),
    { resource: 'storage', code: type, amount: plans.length * sizeGib } as const,
    { resource: 'iops', code: type, amount: plans.length * (iops ?? 0) } as const,
  ].filter(({ amount }) => amount > 0)
}

const isSame = (a: Amount, b: Amount): boolean =>
  a.resource === b.resource && a.code === b.code && a.amount === b.amount

/**
 * Ends what has changed and begins what is new.
 *
 * @param segments what was used so far, in the order of its beginnings
 * @param amounts what is used from now on
 * @param by the event that made it so
 */
export const metered = (
  segments: readonly Segment[],
  amounts: readonly Amount[],
  { at, eventId }: { readonly at: Instant; readonly eventId: string },
): readonly Segment[] => {
  const isOpen = ({ until }: Segment): boolean => until === null
  const begun = amounts.filter((amount) => !segments.some((one) => isOpen(one) && isSame(one, amount)))
  const kept = segments.flatMap((one) => {
    if (!isOpen(one) || amounts.some((amount) => isSame(one, amount))) return [one]
    // What lasted no time is no use.
    return one.from === at ? [] : [{ ...one, until: at, until_event: eventId }]
  })
  return [...kept, ...begun.map((amount) => ({ ...amount, from: at, from_event: eventId, until: null, until_event: null }))]
}
