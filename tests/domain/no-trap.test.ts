import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Change } from '../../domain/datastore/changes/index.ts'
import { type Datastore, datastore } from '../../domain/datastore/datastore.ts'
import type { DatastoreCommand, DatastoreEvent, JobEnd } from '../../domain/datastore/messages.ts'
import { later } from '../../domain/kernel/time.ts'
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

/** The jobs that are at work, each of which may end. */
const workOf = (state: Datastore): readonly string[] =>
  state.status === 'absent' ? [] : [state.atWork, state.failover?.jobId ?? null].filter((one) => one !== null)

/** What the controller may see: that the primary, or whoever takes its place, is lost, and that a node is silent or back. */
const seen = (state: Datastore, n: number): readonly DatastoreCommand[] => {
  if (state.status === 'absent') return []
  const at = later(noon, n * 7_200_000)
  const job = { datastoreId, jobId: `job_${n}`, observedAt: at, now: at }
  const epoch = state.failover?.epoch ?? state.epoch
  const report = { epoch, lastSeenAt: noon, because: 'it does not answer', positionBytes: null }
  const fresh = { nodeId: 'nod_9', name: 'db-9' }
  const room = queueOf(state).length < QUEUE_MAX
  return state.nodes.flatMap(({ nodeId }): readonly DatastoreCommand[] => [
    { type: 'ReportPrimaryUnreachable', data: { ...job, primaryId: nodeId, ...report } },
    ...(room ? [{ type: 'ReportNodeSilent', data: { ...job, nodeId, since: at, machineAnswers: true, fresh } } as const] : []),
    ...(room ? [{ type: 'ReportNodeBack', data: { ...job, nodeId } } as const] : []),
  ])
}

/** What matters of a state; jobs go by their place, so that there are finitely many. */
const keyOf = (state: Datastore): string => {
  if (state.status === 'absent') return 'absent'
  const { status, queue, atWork, failover, nodes, spec: { nodes: planned } } = state
  const roles = nodes.map(({ nodeId, role }) => [nodeId, role])
  const lost = failover === null ? null : failover.change.lostId
  return JSON.stringify([status, queue.map(({ kind }) => kind), atWork === null, lost, roles, planned.length])
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

/** How the jobs at work may end: that they do, the sagas' own tests show. */
const ended = (state: Datastore): readonly DatastoreCommand[] => {
  if (state.status === 'absent') return []
  const nodes = state.nodes.length > 0 ? state.nodes : exampleNodes(2)
  const elected = nodes.find(({ nodeId }) => nodeId !== state.failover?.change.lostId)?.nodeId
  const failover = elected === undefined ? {} : { elected }
  return workOf(state).flatMap((jobId) =>
    (['finished', 'failed', 'cancelled'] as const).map((end: JobEnd): DatastoreCommand => ({
      type: 'RecordJobEnded', data: { ...about, jobId, end, because: null, nodes, failover },
    })),
  )
}

const stepsFrom = ({ decide, evolve }: Decides, state: Datastore, commands: readonly DatastoreCommand[]): readonly Datastore[] =>
  commands.flatMap((command) => {
    const decision = decide(command, state)
    return isRejection(decision) ? [] : [decision.reduce(evolve, state)]
  })

const isAtRest = (state: Datastore): boolean =>
  [...queueOf(state), ...workOf(state)].length === 0 &&
  ['absent', 'running', 'deploy-failed', 'deleted'].includes(state.status)

/** Every state that can be come to, and from which ones no rest is ever reached by the ends of jobs alone. */
const explored = (by: Decides) => {
  const states = new Map<string, Datastore>([[keyOf(datastore.initial), datastore.initial]])
  const waiting = [datastore.initial]
  for (let n = 0; waiting.length > 0; n++) {
    const state = waiting.shift()
    if (state === undefined || states.size > STATES_MAX) throw new Error('there are too many states to look at')
    for (const next of stepsFrom(by, state, [...asked(state, n), ...seen(state, n), ...ended(state)])) {
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
    for (const command of ended(state)) {
      const { jobId: over } = 'jobId' in command.data ? command.data : { jobId: '' }
      for (const next of stepsFrom(datastore, state, [command])) {
        const left = [...queueOf(next).map(({ jobId }) => jobId), ...workOf(next)]
        assert.not.ok(left.includes(over), 'a job that has ended is queued no more')
      }
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
