import { status } from '@grpc/grpc-js'

/** The store cannot be reached, or did not answer in time. Asking again may help. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
}

/** The store will not answer this read, now or later. */
export class ReadRefused extends Error {
  override readonly name = 'ReadRefused'
}

/**
 * What a network, a restart or a change of leader can cause. UNKNOWN and INTERNAL are how broken connections often
 * show.
 */
const TRANSIENT: ReadonlySet<number> = new Set([
  status.CANCELLED, status.UNKNOWN, status.DEADLINE_EXCEEDED, status.RESOURCE_EXHAUSTED, status.ABORTED,
  status.INTERNAL, status.UNAVAILABLE,
])

/** Whether asking again may help: gRPC's code tells, whichever of its classes the client made of the error. */
export const isTransient = (error: unknown): boolean => {
  if (error instanceof StoreUnavailable) return true
  if (!(error instanceof Error)) return false
  if ('type' in error && (error.type === 'unavailable' || error.type === 'not-leader')) return true
  if (!('code' in error) || typeof error.code !== 'number') return false
  return TRANSIENT.has(error.code) || isNotLeader(error)
}

/** Whether the store knows who asks and will not have it, or does not know these credentials: asking again is no use. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof Error && 'code' in error &&
  (error.code === status.UNAUTHENTICATED || error.code === status.PERMISSION_DENIED)

const isNotLeader = (error: Error): boolean =>
  'metadata' in error && typeof error.metadata === 'object' && error.metadata !== null && 'get' in error.metadata &&
  typeof error.metadata.get === 'function' && String(error.metadata.get('exception')) === 'not-leader'

const FIRST_PAUSE_MS = 25
const LONGEST_PAUSE_MS = 2_000

/**
 * How long to wait before the attempt after `attempt` (from 0), in ms: doubling, with jitter so that clients do not
 * come as one.
 */
export const backOffMs = (attempt: number): number =>
  Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2)

/** Waits, or returns at once when `signal` aborts. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
