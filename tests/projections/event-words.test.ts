import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { wordsOf } from '../../projections/event-words.ts'
import { isKnown, type KnownEvent, PREFIXES } from '../../projections/known-event.ts'
import { noon } from '../support/examples.ts'
import { recorded } from '../support/folding.ts'
import { randomHistory, writer } from '../support/history.ts'

const test = suite('events in words')

const store = memoryEventStore(() => noon)
await writer(store)(randomHistory(3, { datastores: 10, moves: 1_200 }))
const events = (await store.readAll({ after: 'start', prefixes: PREFIXES, limit: Infinity })).filter(isKnown)

const one = (type: string, data: object, stream = 'job-job_1'): KnownEvent => {
  const about = { jobId: 'job_1', datastoreId: 'clu_1', at: noon }
  const found = recorded(() => stream, [{ type, data: { ...about, ...data } }]).find(isKnown)
  if (found === undefined) throw new Error(`BUG: ${type} is not known`)
  return found
}

test('every event of a history is one sentence', () => {
  assert.ok(new Set(events.map(({ type }) => type)).size >= 20)
  for (const event of events) {
    assert.match(wordsOf(event), /^[\p{Lu}“][^\n]+[^.\s]$/u, event.type)
    assert.not.match(wordsOf(event), /undefined|null|\[object/, event.type)
  }
})

test('a step goes by its title and its node by its name, where they are known', () => {
  const place = { step: 'machines', key: 'nod_1', attempt: 2, course: 'forward' }
  const done = one('StepSucceeded', { ...place, result: {}, progressPercent: 9 })
  assert.is(wordsOf(done), '“machines” on nod_1 was done, attempt 2')
  const names = { step: () => 'Create the machines', node: () => 'db-1' }
  assert.is(wordsOf(done, names), '“Create the machines” on db-1 was done, attempt 2')
})

test('an undo is told from the doing, and a retry from giving up', () => {
  const place = { step: 'network', key: 'all', attempt: 1, because: 'it is in use' }
  assert.is(
    wordsOf(one('StepFailed', { ...place, course: 'back', retryAt: noon })),
    'Undo of “network” failed: it is in use; it will be tried again',
  )
  assert.is(wordsOf(one('StepFailed', { ...place, course: 'forward', retryAt: null })), '“network” failed: it is in use')
})

test('a change is told with the nodes it is about, by their names where they are known', () => {
  const names = { step: (_: string, step: string) => step, node: (nodeId: string) => nodeId.replace('nod_', 'db-') }
  const removing = { kind: 'remove-nodes', nodeIds: ['nod_2', 'nod_3'] }
  const told = (type: string, data: object) => wordsOf(one(type, data, 'datastore-clu_1'), names)
  assert.is(told('JobQueued', { kind: 'remove-nodes', change: removing }), 'A job was queued: remove nodes db-2, db-3')
  assert.is(
    told('DatastoreChanged', { change: removing, nodes: [{ nodeId: 'nod_1' }] }),
    'The datastore was changed (remove nodes db-2, db-3); it has 1 node',
  )
  const adding = { kind: 'add-nodes', nodes: [{ nodeId: 'nod_4' }] }
  assert.is(
    told('ChangeAbandoned', { change: adding, because: 'no room' }),
    'The change came to nothing (add nodes db-4): no room',
  )
})

test.run()
