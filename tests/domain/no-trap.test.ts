import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Change } from '../../domain/datastore/changes/index.ts'
import { type Datastore, datastore } from '../../domain/datastore/datastore.ts'
import type { DatastoreCommand, DatastoreEvent, JobEnd } from '../../domain/datastore/messages.ts'
import { type Decider, isRejection } from '../../domain/kernel/decider.ts'
import { exampleNodes, exampleSpec, noon } from '../support/examples.ts'

const test = suite('every state a datastore can come to')

const datastoreId = 'clu_1'
const QUEUE_MAX = 3
const STATES_MAX = 20_000
const about = { datastoreId, now: noon }
const spec = exampleSpec(2)

type Decides = Pick<Decider<DatastoreCommand, DatastoreEvent, Datastore, string>, 'decide' | 'evolve'>

const CHANGES: readonly Change[] = [
  { kind: 'add-nodes', nodes: exampleSpec(3).nodes.slice(2), nodesMax: 3 },
  { kind: 'remove-nodes', nodeIds: ['nod_2'] },
  { kind: 'promote-replica', nodeId: 'nod_2' },
]

const queueOf = (state: Datastore) => (state.status === 'absent' ? [] : state.queue)

/** What matters of a state; jobs go by their place, so that there are finitely many. */
const keyOf = (state: Datastore): string => {
  if (state.status === 'absent') return 'absent'
  const { status, queue, nodes, spec: { nodes: planned } } = state
  const roles = nodes.map(({ nodeId, role }) => [nodeId, role])
  return JSON.stringify([status, queue.map(({ kind }) => kind), roles, planned.length])
}

/** What anybody may ask for; each job has an id that never was. */
const asked = (state: Datastore, n: number): readonly DatastoreCommand[] => {
  const jobId = `job_${n}`
  const fresh = exampleSpec(3).nodes.map(({ nodeId, name }) => ({ nodeId, name }))
  const past = state.status === 'absent' ? [] : [...state.past].slice(-2)
  const room = queueOf(state).length < QUEUE_MAX
  return [
    { type: 'CreateDatastore', data: { ...about, jobId, spec, fingerprint: 'f' } },
    { type: 'DeleteDatastore', data: { ...about, jobId } },
    ...(room ? CHANGES : []).map((change): DatastoreCommand => ({ type: 'ChangeDatastore', data: { ...about, jobId, change } })),
    ...(room ? past : []).map(([retried]): DatastoreCommand => ({ type: 'RetryJob', data: { ...about, jobId, retried, fresh } })),
    ...queueOf(state).map((job): DatastoreCommand => ({
      type: 'StopJob', data: { ...about, jobId: job.jobId, because: 'asked' },
    })),
  ]
}

/** How the job at work may end: that it does, the sagas' own tests show. */
const ended = (state: Datastore): readonly DatastoreCommand[] => {
  const [job] = queueOf(state)
  if (job === undefined || state.status === 'absent') return []
  const nodes = state.nodes.length > 0 ? state.nodes : exampleNodes(2)
  return (['finished', 'failed', 'cancelled'] as const).map((end: JobEnd) => ({
    type: 'RecordJobEnded', data: { ...about, jobId: job.jobId, end, because: null, nodes },
  }))
}

const stepsFrom = ({ decide, evolve }: Decides, state: Datastore, commands: readonly DatastoreCommand[]): readonly Datastore[] =>
  commands.flatMap((command) => {
    const decision = decide(command, state)
    return isRejection(decision) ? [] : [decision.reduce(evolve, state)]
  })

const isAtRest = (state: Datastore): boolean =>
  queueOf(state).length === 0 && ['absent', 'running', 'deploy-failed', 'deleted'].includes(state.status)

/** Every state that can be come to, and from which ones no rest is ever reached by the ends of jobs alone. */
const explored = (by: Decides) => {
  const states = new Map<string, Datastore>([[keyOf(datastore.initial), datastore.initial]])
  const waiting = [datastore.initial]
  for (let n = 0; waiting.length > 0; n++) {
    const state = waiting.shift()
    if (state === undefined || states.size > STATES_MAX) throw new Error('there are too many states to look at')
    for (const next of stepsFrom(by, state, [...asked(state, n), ...ended(state)])) {
      if (states.has(keyOf(next))) continue
      states.set(keyOf(next), next)
      waiting.push(next)
    }
  }
  const resting = new Set([...states].flatMap(([key, state]) => (isAtRest(state) ? [key] : [])))
  for (let before = -1; before < resting.size; ) {
    before = resting.size
    for (const [key, state] of states) {
      if (stepsFrom(by, state, ended(state)).some((next) => resting.has(keyOf(next)))) resting.add(key)
    }
  }
  return { states, trapped: [...states.keys()].filter((key) => !resting.has(key)) }
}

test('leads to rest when its jobs end: running, deploy-failed or deleted, and nothing queued', () => {
  const { states, trapped } = explored(datastore)
  assert.ok(states.size > 50, `${states.size} states`)
  assert.equal(trapped, [])
})

test('leads to rest however its jobs end, one after the other', () => {
  for (const state of explored(datastore).states.values()) {
    const [job] = queueOf(state)
    if (job === undefined) continue
    for (const next of stepsFrom(datastore, state, ended(state))) {
      assert.not.ok(queueOf(next).some(({ jobId }) => jobId === job.jobId), 'a job that has ended is queued no more')
    }
  }
})

test('can be deleted, or is on its way out', () => {
  for (const state of explored(datastore).states.values()) {
    if (state.status === 'absent' || state.status === 'deleted') continue
    const decision = datastore.decide({ type: 'DeleteDatastore', data: { ...about, jobId: 'job_new' } }, state)
    assert.not.ok(isRejection(decision), keyOf(state))
  }
})

test('is found out when it has no way out', () => {
  // The end of a deployment that failed is lost, so that it deploys for ever unless it is deleted.
  const stuck: Decides = {
    ...datastore,
    decide: (command, state) => {
      const isLost = command.type === 'RecordJobEnded' && state.status === 'deploying'
      return isLost ? [] : datastore.decide(command, state)
    },
  }
  const { trapped } = explored(stuck)
  assert.ok(trapped.some((key) => key.includes('deploying')), trapped.join(' '))
})

test.run()
