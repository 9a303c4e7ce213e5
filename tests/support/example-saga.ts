import { sagas } from '../../sagas/index.ts'
import type { JobCommand, JobEvent } from '../../domain/job/messages.ts'
import type { Course, Order } from '../../domain/job/orders.ts'
import type { Saga, Sagas, Step } from '../../domain/job/saga.ts'
import { later } from '../../domain/kernel/time.ts'
import { newInput, noon } from './examples.ts'

/** An instant, in milliseconds after noon. */
export const at = (ms: number) => later(noon, ms)

const limits = { timeoutMs: 10_000, attemptsMax: 2, backoffMs: 1_000 }
const datastoreId = 'clu_1'
const provider = 'provider-a'
const make = (networkId: string) => (): Order => ({
  subject: 'infra.create-network',
  body: { provider, datastoreId, networkId, region: 'region-a' },
})
const unmake = (networkId: string) => (): Order => ({
  subject: 'infra.delete-network',
  body: { provider, datastoreId, networkId },
})
const nodes = () => ['nod_1', 'nod_2']

const wallStep: Step = { name: 'wall', title: 'Build the wall', does: make('wall'), undo: unmake('wall'), ...limits }
const roomsStep: Step = {
  name: 'rooms', title: 'Furnish the rooms', keys: nodes,
  does: (_, nodeId) => ({ subject: 'infra.boot-machine', body: { provider, datastoreId, nodeId } }),
  undo: (_, nodeId) => ({ subject: 'infra.delete-machine', body: { provider, datastoreId, nodeId } }),
  ...limits,
}

/** Two reversible steps, one with two orders; then one with nothing to do, one without an undo, one with both. */
export const building: Saga = {
  kind: 'deploy-datastore',
  title: 'Build',
  downtime: 'none',
  steps: [
    wallStep,
    roomsStep,
    { ...wallStep, name: 'nothing', title: 'Do nothing', keys: () => [] },
    { name: 'paint', title: 'Paint', does: make('paint'), ...limits },
    { ...wallStep, name: 'door', title: 'Hang the door', does: make('door'), undo: unmake('door') },
  ],
}

/** One step that can be taken back, then two that cannot. */
export const razing: Saga = {
  kind: 'delete-datastore',
  title: 'Raze',
  downtime: 'gone',
  steps: [
    { name: 'fence', title: 'Put up a fence', does: make('fence'), undo: unmake('fence'), ...limits },
    { name: 'blast', title: 'Blast', irreversible: true, does: unmake('wall'), ...limits },
    { name: 'clear', title: 'Clear away', irreversible: true, keys: nodes, does: roomsStep.does, ...limits },
  ],
}

export const exampleSagas: Sagas = { ...sagas, 'deploy-datastore': () => building, 'delete-datastore': () => razing }

const about = (ms: number) => ({ jobId: 'job_1', datastoreId, at: at(ms) }) as const

type Spot = { readonly key?: string; readonly attempt?: number; readonly course?: Course }
const placeOf = (step: string, { key = 'all', attempt = 1, course = 'forward' }: Spot) => ({ step, key, attempt, course })

const orderFor = (saga: Saga, { step: name, key, course }: ReturnType<typeof placeOf>): Order => {
  const step = saga.steps.find((one) => one.name === name)
  const facts = { input: newInput(2), learned: { nodes: {} } }
  const order = course === 'forward' ? step?.does(facts, key) : step?.undo?.(facts, key)
  if (order === undefined) throw new Error(`there is no order ${name} ${course}`)
  return order
}

/** The events of a job of `saga`, each said with only what matters; times are in milliseconds after noon. */
export const eventsOf = (saga: Saga) => ({
  started: (): JobEvent => ({
    type: 'JobStarted',
    data: {
      ...about(0), kind: saga.kind, title: saga.title, input: newInput(2),
      steps: saga.steps.map(({ name, title }) => ({ name, title })),
    },
  }),
  ordered: (ms: number, step: string, spot: Spot = {}): JobEvent => {
    const place = placeOf(step, spot)
    const notAfter = at(ms + limits.timeoutMs)
    return { type: 'StepOrdered', data: { ...about(ms), ...place, order: orderFor(saga, place), notAfter } }
  },
  succeeded: (ms: number, progressPercent: number, step: string, spot: Spot = {}): JobEvent => ({
    type: 'StepSucceeded',
    data: { ...about(ms), ...placeOf(step, spot), result: {}, progressPercent },
  }),
  failed: (ms: number, retryMs: number | null, step: string, spot: Spot = {}, because = 'no luck'): JobEvent => ({
    type: 'StepFailed',
    data: { ...about(ms), ...placeOf(step, spot), because, retryAt: retryMs === null ? null : at(retryMs) },
  }),
  attention: (ms: number, step: string, { key = 'all', course = 'forward' }: Spot = {}, because = 'no luck'): JobEvent => ({
    type: 'AttentionNeeded',
    data: { ...about(ms), step, key, course, because },
  }),
  unwinding: (ms: number, step: string, because: string): JobEvent => ({
    type: 'UnwindingBegun',
    data: { ...about(ms), step, because },
  }),
  cancelled: (ms: number, because = 'enough'): JobEvent => ({ type: 'JobCancelled', data: { ...about(ms), because } }),
  finished: (ms: number): JobEvent => ({ type: 'JobFinished', data: about(ms) }),
  unwound: (ms: number, because: string, cancelled = false): JobEvent => ({
    type: 'JobUnwound',
    data: { ...about(ms), because, cancelled },
  }),
  noted: (ms: number, line: string, step: string, spot: Spot = {}): JobEvent => ({
    type: 'StepNoted',
    data: { ...about(ms), ...placeOf(step, spot), line },
  }),
})

/** What is said to a job; times are in milliseconds after noon. */
export const start = ({ kind }: Saga): JobCommand => ({
  type: 'StartJob',
  data: { jobId: 'job_1', kind, input: newInput(2), now: at(0) },
})
export const passTime = (ms: number): JobCommand => ({ type: 'PassTime', data: { jobId: 'job_1', now: at(ms) } })
export const cancel = (ms: number): JobCommand => ({
  type: 'CancelJob',
  data: { jobId: 'job_1', because: 'enough', now: at(ms) },
})
type Said =
  | { readonly kind: 'succeeded'; readonly result: object }
  | { readonly kind: 'failed'; readonly because: string; readonly final: boolean }
  | { readonly kind: 'noted'; readonly line: string }
const outcome = (ms: number, step: string, spot: Spot, said: Said): JobCommand => ({
  type: 'RecordOutcome',
  data: {
    jobId: 'job_1',
    now: at(ms),
    outcome: { ...placeOf(step, spot), orderId: 'ord_1', jobId: 'job_1', at: at(ms), ...said },
  },
})
export const success = (ms: number, step: string, spot: Spot = {}) =>
  outcome(ms, step, spot, { kind: 'succeeded', result: {} })
export const failure = (ms: number, step: string, spot: Spot = {}, final = false) =>
  outcome(ms, step, spot, { kind: 'failed', because: 'no luck', final })
export const note = (ms: number, line: string, step: string, spot: Spot = {}) => outcome(ms, step, spot, { kind: 'noted', line })
