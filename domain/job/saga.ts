import type { JobInput, JobKind } from '../datastore/messages.ts'
import type { NodeRole } from '../datastore/spec.ts'
import type { Instant } from '../kernel/time.ts'
import type { FencedBy, Order } from './orders.ts'

/** What a job has found out so far about the nodes. */
export type Learned = {
  readonly nodes: Readonly<
    Record<string, { readonly privateAddress?: string; readonly publicAddress?: string; readonly role?: NodeRole }>
  >
  readonly failover?: FailoverLearnt
}

/** What a failover has found out: by what the lost primary is fenced, who is to take its place, who holds how much. */
export type FailoverLearnt = {
  readonly fencedBy?: FencedBy
  readonly elected?: string
  /** The last position, in bytes, that each replica which was asked has received. */
  readonly positions?: Readonly<Record<string, number>>
  /** When the primary's name led to the node that was promoted. */
  readonly writesBackAt?: Instant
}

export type Facts = { readonly input: JobInput; readonly learned: Learned }

/**
 * One step of a saga: one order, or one per key, all at once. The step has succeeded when every one of its orders has.
 * An order is repeated with back-off until it succeeds or its attempts are used up.
 */
export type Step = {
  readonly name: string
  /** What the tenant reads while it runs. */
  readonly title: string
  /** The keys of its orders, mostly node ids; none means there is nothing to do. Default: one order. */
  readonly keys?: (facts: Facts) => readonly string[]
  readonly does: (facts: Facts, key: string) => Order
  /**
   * Takes the step's effect back, wholly or partly done. Left out where the effect goes with an earlier step's undo;
   * undefined where nothing needs undoing.
   */
  readonly undo?: (facts: Facts, key: string) => Order | undefined
  /** No way back from here: this step and all after it are repeated until they succeed. */
  readonly irreversible?: true
  readonly timeoutMs: number
  /** As long as its worker is seen to get on, the deadline moves on with it, up to so long after the order; else it stays. */
  readonly movingMaxMs?: number
  readonly attemptsMax: number
  /** Before the second attempt; doubles with each further one, up to a minute. */
  readonly backoffMs: number
}

/**
 * What an application notices of it. `write-pause`: for a moment, or until a primary is up again, no write is taken and its
 * connections end; replicas go on serving. `down`: nobody is served until the only node is back. `gone`: it ends for good.
 */
export type Downtime = 'none' | 'write-pause' | 'down' | 'gone'

/** A long operation as its plan: what is done in which order, and how each part is undone. */
export type Saga = {
  readonly kind: JobKind
  readonly title: string
  readonly downtime: Downtime
  readonly steps: readonly Step[]
}

/** The plan of each kind of job; how many steps it has may depend on what the job is given. */
export type Sagas = Readonly<Record<JobKind, (input: JobInput) => Saga>>

/** The key of a step that has only one order. */
export const ONLY = 'all'

/** The order of a failover from whose success on writes reach the new primary. */
export const WRITES_BACK = `${ONLY}/endpoint`

/** Whether an order's key is the id of the node it is about. */
export const isNodeKey = (key: string): boolean => key !== ONLY && !key.startsWith(`${ONLY}/`)

export const keysOf = (step: Step, facts: Facts): readonly string[] => step.keys?.(facts) ?? [ONLY]
