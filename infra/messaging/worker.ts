import { setTimeout as pause } from 'node:timers/promises'
import { extended, type OrderOutcome, type OrderResult, type PlacedOrder } from '../../domain/job/orders.ts'
import { type Instant, later, reached } from '../../domain/kernel/time.ts'
import { type InOrder, inOrder } from '../runners/in-order.ts'
import type { Log } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { carrierOf, withCarrier } from '../telemetry/tracing.ts'
import { held } from './held.ts'
import { outcomeIdOf } from './ids.ts'
import type { Delivered, Messaging } from './messaging.ts'

const TIMER_MS_MAX = 2 ** 31 - 1
const DRAIN_TIMEOUT_MS = 10_000
const RETRY_DELAY_MS = 2_000
const RETRY_DELAY_MAX_MS = 60_000
const LINE_LENGTH_MAX = 1_000
const LINES_MAX = 1_000
/** How often progress is passed on at most, in milliseconds; and how many times at least before a deadline that moves. */
const PROGRESS_EVERY_MS = 30_000
const PROGRESS_PER_DEADLINE = 5

const TOO_LATE = 'It took too long to begin.'
const TOO_LONG = 'It took too long and was stopped.'
const OUR_FAULT = 'Something went wrong on our side.'

/** What a handler knows about why it failed, in words a tenant understands. Whatever else it throws stays with us. */
export class Failure extends Error {
  override readonly name = 'Failure'
  /** True when no repetition can help. */
  readonly final: boolean
  readonly because: string
  constructor(because: string, { final = false, cause }: { readonly final?: boolean; readonly cause?: unknown } = {}) {
    super(because, { cause })
    this.because = because
    this.final = final
  }
}

export type Work = {
  /** Aborted when the order's time is up, or the worker must go. A handler that does not heed it holds up its key. */
  readonly signal: AbortSignal
  /** A line for the job's log, shown while the order is worked on. */
  readonly note: (line: string) => void
  /**
   * How much of the order is done, measured, in whatever unit; with a line for the log. Told as often as one likes: it is
   * passed on now and then. While it grows, an order that may take as long as it moves is not out of time.
   */
  readonly progress: (figure: number, line: string) => void
}

export type Handle = (order: PlacedOrder, work: Work) => Promise<OrderResult>

export type WorkOptions = {
  readonly messaging: Messaging
  readonly family: 'infra' | 'cmon'
  /** Orders in hand at most, those included that wait for another of their key. */
  readonly concurrency: number
  /** Aborting it drains: nothing new is taken, what runs may end. */
  readonly signal: AbortSignal
  readonly handle: Handle
  readonly now: () => Instant
  readonly log: Log
  readonly metrics?: Metrics
  /** How long what runs may take to end once `signal` has aborted, before it is stopped; default 10,000. */
  readonly drainTimeoutMs?: number
}

type Answer =
  | { readonly kind: 'succeeded'; readonly result: OrderResult }
  | { readonly kind: 'failed'; readonly because: string; readonly final: boolean }
const NOT_BEGUN: Answer = { kind: 'failed', because: TOO_LATE, final: false }

type Shell = WorkOptions & { readonly forced: AbortSignal }

/** Publishes lines while the order runs; `told` resolves when all that could be published have been. */
const noting = ({ messaging, now, log }: Shell, order: PlacedOrder) => {
  const underWay: Promise<void>[] = []
  let lines = 0
  let notAfter = order.notAfter
  let most = 0
  let due = now()
  const told = (line: string) => ({ ...answered(order, now()), kind: 'noted', line: line.slice(0, LINE_LENGTH_MAX) }) as const
  const publish = async (outcome: OrderOutcome, mark: number | string): Promise<boolean> => {
    try {
      await messaging.answer(outcome, outcomeIdOf(order.orderId, 'noted', mark), carrierOf())
      return true
    } catch (err) {
      // A line is for the eye: the order must not fail for it.
      log.warn({ orderId: order.orderId, jobId: order.jobId, err }, 'a line was lost')
      return false
    }
  }
  /** The deadline moves only with what the broker has: what the job never hears of, it does not wait for. */
  const advance = async (outcome: OrderOutcome, figure: number): Promise<void> => {
    if (!(await publish(outcome, `figure ${figure}`)) || order.extending === undefined) return
    notAfter = extended(notAfter, order.extending, outcome.at)
  }
  return {
    note: (line: string): void => {
      if (lines < LINES_MAX) underWay.push(publish(told(line), lines++).then(() => undefined))
    },
    progress: (figure: number, line: string): void => {
      if (figure <= most || !reached(due, now())) return
      most = figure
      due = later(now(), Math.min(PROGRESS_EVERY_MS, (order.extending?.byMs ?? Infinity) / PROGRESS_PER_DEADLINE))
      underWay.push(advance({ ...told(line), figure }, figure))
    },
    notAfter: (): Instant => notAfter,
    told: () => Promise.all(underWay),
  }
}

type Notes = ReturnType<typeof noting>

const answered = ({ orderId, jobId, step, key, attempt, course }: PlacedOrder, at: Instant) =>
  ({ orderId, jobId, step, key, attempt, course, at })

const idsOf = ({ orderId, jobId, datastoreId, step, key, attempt, course, order }: PlacedOrder) =>
  ({ orderId, jobId, datastoreId, step, key, attempt, course, subject: order.subject })

const leftMs = (notAfter: Instant, now: Instant): number =>
  Math.min(Date.parse(notAfter) - Date.parse(now), TIMER_MS_MAX)

/** Runs the handler once and makes an answer of what comes of it. Undefined: it was stopped because the worker goes. */
const attempted = async (shell: Shell, order: PlacedOrder, notes: Notes): Promise<Answer | undefined> => {
  const { handle, now, log, forced } = shell
  if (reached(order.notAfter, now())) return NOT_BEGUN
  const overdue = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const watch = (notAfter: Instant): void => {
    timer = setTimeout(() => {
      const moved = notes.notAfter()
      if (moved > notAfter) watch(moved)
      else overdue.abort()
    }, leftMs(notAfter, now()))
  }
  watch(order.notAfter)
  try {
    const signal = AbortSignal.any([overdue.signal, forced])
    return { kind: 'succeeded', result: await handle(order, { signal, note: notes.note, progress: notes.progress }) }
  } catch (err) {
    if (overdue.signal.aborted) {
      log.warn({ ...idsOf(order), err }, 'an order ran out of time')
      return { kind: 'failed', because: TOO_LONG, final: false }
    }
    if (forced.aborted) return undefined
    log.error({ ...idsOf(order), err }, 'an order failed')
    if (err instanceof Failure) return { kind: 'failed', because: err.because, final: err.final }
    return { kind: 'failed', because: OUR_FAULT, final: false }
  } finally {
    clearTimeout(timer)
  }
}

/** One order from its beginning to its acknowledgement. The outcome is with the broker before the order leaves it. */
const carryOut = async (
  shell: Shell,
  { message: order, carrier, ack, nak, deliveries }: Delivered<PlacedOrder>,
  isTooLate: boolean,
): Promise<void> => {
  const { messaging, now, log, metrics } = shell
  const began = performance.now()
  const notes = noting(shell, order)
  try {
    const answer = isTooLate ? NOT_BEGUN : await attempted(shell, order, notes)
    await notes.told()
    if (answer === undefined) return await nak(0)
    const outcome: OrderOutcome = { ...answered(order, now()), ...answer }
    await messaging.answer(outcome, outcomeIdOf(order.orderId, answer.kind), { ...carrier, ...carrierOf() })
    await ack()
    const seconds = (performance.now() - began) / 1_000
    metrics?.order(order.order.subject, answer.kind, seconds)
    log.info({ ...idsOf(order), result: answer.kind, seconds, deliveries }, 'an order is answered')
  } catch (err) {
    // The broker is away. The order comes again, and the handler finds its work done.
    log.error({ ...idsOf(order), err }, 'an order could not be answered')
    await nak(Math.min(RETRY_DELAY_MS * deliveries, RETRY_DELAY_MAX_MS))
  }
}

/**
 * Does `work` when the turn of its key has come, or at the end of its time without waiting any longer: orders behind one
 * that does not end must not take the room of all others.
 */
const inTurn = async (
  turns: InOrder,
  { key, waitMs }: { readonly key: string; readonly waitMs: number },
  work: (isTooLate: boolean) => Promise<void>,
): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let isTaken = false
  const take = async (isTooLate: boolean): Promise<void> => {
    if (isTaken) return
    isTaken = true
    clearTimeout(limit)
    await work(isTooLate).then(resolve, reject)
  }
  const limit = setTimeout(() => void take(true), waitMs)
  void turns.run(key, () => take(false))
  await promise
}

/**
 * Takes the orders of a family and has them handled, until `signal` aborts: the shell of every worker.
 *
 * Orders for one key of a datastore run one after the other in the order of their arrival, all others side by side.
 * That holds within this process; across processes a key's order is kept by its job, which places one at a time.
 * An order stays with this worker for as long as it works on it. Its outcome is published before it is acknowledged.
 *
 * @throws when the broker's connection closes for good while work is still wanted
 */
export const workOn = async (options: WorkOptions): Promise<void> => {
  const { messaging, family, concurrency, signal, log, drainTimeoutMs = DRAIN_TIMEOUT_MS } = options
  const force = new AbortController()
  const shell: Shell = { ...options, forced: force.signal }
  const turns = inOrder()
  const inHand = new Map<string, Promise<void>>()

  const run = async (delivered: Delivered<PlacedOrder>): Promise<void> => {
    const { orderId, jobId, datastoreId, key, order } = delivered.message
    const attributes = { 'ccx.order': orderId, 'ccx.job': jobId, 'ccx.datastore': datastoreId }
    const turn = { key: JSON.stringify([datastoreId, key]), waitMs: leftMs(delivered.message.notAfter, options.now()) }
    await inTurn(turns, turn, async (isTooLate) => {
      // Not begun when the drain began: another worker can have it at once.
      if (signal.aborted) return delivered.nak(0)
      const work = () => carryOut(shell, delivered, isTooLate)
      await withCarrier(delivered.carrier, `order ${order.subject}`, attributes, work)
    })
  }

  for await (const delivered of messaging.orders(family, { concurrency, signal })) {
    const { orderId } = delivered.message
    if (inHand.has(orderId)) {
      // Our sign of life was late, so it came again. It is still ours, and our acknowledgement ends this one too.
      await delivered.nak(messaging.ackWaitMs)
      continue
    }
    const done = held(messaging, delivered, () => run(delivered))
      .catch((err: unknown) => log.error({ ...idsOf(delivered.message), err }, 'an order was dropped'))
      .finally(() => inHand.delete(orderId))
    inHand.set(orderId, done)
  }
  const drained = new AbortController()
  const limit = pause(drainTimeoutMs, undefined, { signal: drained.signal }).then(() => force.abort(), () => undefined)
  await Promise.all(inHand.values())
  drained.abort()
  await limit
  if (!signal.aborted) throw new Error(`no more ${family} orders can be taken: the connection to the broker is closed`)
}
