import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { JobEvent } from '../../domain/job/messages.ts'
import type { Names, Order, OrderSubject, Place } from '../../domain/job/orders.ts'
import { type Facts, type Saga, type Step, keysOf } from '../../domain/job/saga.ts'
import { sagas } from '../../sagas/index.ts'
import { deployedInput, newInput } from '../support/examples.ts'
import { type Fate, playSaga } from '../support/play-saga.ts'

const test = suite('the plans')

/**
 * What can be done about each order's effect once the job unwinds. A new subject does not compile until it has its line here.
 * `destroys`: what it takes away cannot be had back, so its step must be irreversible.
 */
const remedies: Readonly<
  Record<OrderSubject, { readonly by: OrderSubject } | { readonly goesWith: OrderSubject } | 'nothing' | 'destroys'>
> = {
  'infra.create-network': { by: 'infra.delete-network' },
  'infra.delete-network': { by: 'infra.create-network' },
  'infra.create-machine': { by: 'infra.delete-machine' },
  'infra.delete-machine': 'destroys',
  'infra.allocate-address': { by: 'infra.release-address' },
  'infra.release-address': 'destroys',
  'infra.create-volume': { by: 'infra.delete-volume' },
  'infra.delete-volume': 'destroys',
  'infra.boot-machine': { goesWith: 'infra.delete-machine' },
  'infra.publish-names': { by: 'infra.withdraw-names' },
  'infra.withdraw-names': { by: 'infra.publish-names' },
  'infra.sweep': 'destroys',
  'cmon.register-cluster': { by: 'cmon.forget-cluster' },
  'cmon.forget-cluster': { by: 'cmon.register-cluster' },
  'cmon.install-node': { by: 'cmon.erase-node' },
  'cmon.bootstrap-primary': { by: 'cmon.erase-node' },
  'cmon.join-replica': { by: 'cmon.erase-node' },
  'cmon.configure-node': { by: 'cmon.configure-node' },
  'cmon.create-account': { goesWith: 'cmon.erase-node' },
  'cmon.check-cluster': 'nothing',
  'cmon.stop-node': { by: 'cmon.start-node' },
  'cmon.start-node': { by: 'cmon.stop-node' },
  'cmon.erase-node': 'destroys',
}

type OrderedEvent = Extract<JobEvent, { readonly type: 'StepOrdered' }>
const ordersOf = (events: readonly JobEvent[]): readonly OrderedEvent['data'][] =>
  events.flatMap((event) => (event.type === 'StepOrdered' ? [event.data] : []))

/** The facts as they are when a job of the saga on a deployed datastore has finished. */
const factsOf = (saga: Saga): Facts => {
  const { state } = playSaga({ saga, input: deployedInput(3) })
  return { input: state.input, learned: state.learned }
}
const nodeOf = ({ body }: Order): string | undefined => ('nodeId' in body ? body.nodeId : undefined)
const all = Object.values(sagas)
const everyStep: readonly (readonly [Saga, Step])[] = all.flatMap((saga) => saga.steps.map((step) => [saga, step] as const))
const isReversible = (saga: Saga, step: Step): boolean =>
  !saga.steps.slice(0, saga.steps.indexOf(step) + 1).some(({ irreversible }) => irreversible === true)

test('every kind of job has the plan of that kind', () => {
  for (const [kind, saga] of Object.entries(sagas)) assert.is(saga.kind, kind)
})

test('every plan has a title and steps, and no two steps share a name or a title', () => {
  for (const { title, steps } of all) {
    assert.ok(title.length > 0 && steps.length > 0)
    assert.is(new Set(steps.map((step) => step.name)).size, steps.length)
    assert.is(new Set(steps.map((step) => step.title)).size, steps.length)
  }
})

for (const [saga, step] of everyStep) {
  test(`${saga.kind}: ${step.name} has a name for machines, a title for people, and limits within reason`, () => {
    assert.match(step.name, /^[a-z]+(-[a-z]+)*$/)
    assert.match(step.title, /^[A-Z][^.]{5,80}$/)
    assert.ok(step.timeoutMs >= 10_000 && step.timeoutMs <= 30 * 60_000, `${step.timeoutMs} ms`)
    assert.ok(step.attemptsMax >= 2 && step.attemptsMax <= 10, `${step.attemptsMax} attempts`)
    assert.ok(step.backoffMs >= 100 && step.backoffMs <= 60_000, `${step.backoffMs} ms`)
  })

  test(`${saga.kind}: what ${step.name} does has its remedy`, () => {
    if (!isReversible(saga, step)) return assert.is(step.undo, undefined, 'a step past the return is never undone')
    const facts = factsOf(saga)
    for (const key of keysOf(step, facts)) {
      const order = step.does(facts, key)
      const remedy = remedies[order.subject]
      assert.is.not(remedy, 'destroys', `${order.subject} cannot be undone, so the step must be irreversible`)
      if (typeof remedy === 'string') continue
      if ('by' in remedy) {
        assert.is(step.undo?.(facts, key)?.subject, remedy.by)
        continue
      }
      const earlier = saga.steps.slice(0, saga.steps.indexOf(step))
      const undos = earlier.flatMap((one) => keysOf(one, facts).flatMap((each) => one.undo?.(facts, each) ?? []))
      const covered = undos.some((undo) => undo.subject === remedy.goesWith && nodeOf(undo) === nodeOf(order))
      assert.ok(covered, `${order.subject} goes with ${remedy.goesWith}, which no earlier step's undo orders for the same node`)
    }
  })
}

test('what is irreversible stays so to the end of the plan, in its own words', () => {
  for (const { steps } of all) {
    const first = steps.findIndex(({ irreversible }) => irreversible === true)
    if (first >= 0) for (const step of steps.slice(first)) assert.is(step.irreversible, true, step.name)
  }
})

/** Every order that a saga can give, forward and back. */
const everyOrder = (): readonly OrderedEvent['data'][] =>
  all.flatMap((saga) =>
    [newInput(3), deployedInput(3)].flatMap((input) =>
      saga.steps.flatMap(({ name }) => {
        const fateOf = ({ step, course, attempt }: Place): Fate =>
          step === name && course === 'forward' && attempt === 1 ? 'refuses' : 'succeeds'
        return ordersOf(playSaga({ saga, input, fateOf }).events)
      }),
    ),
  )

test('no order holds a secret or a place for one', () => {
  for (const { order } of everyOrder()) {
    assert.not.match(JSON.stringify(order), /password|passwd|secret|token|credential|private.?key|-----BEGIN/i)
  }
})

test('every order belongs to its datastore, and every name to the domain under the datastore\'s own', () => {
  for (const { order } of everyOrder()) {
    const { body } = order
    assert.is('cluster' in body ? body.cluster.datastoreId : body.datastoreId, 'clu_1')
    if (!('names' in body)) continue
    for (const entry of body.names) assert.match(typeof entry === 'string' ? entry : entry.name, /^(.+\.)?clu_1\.ccx\.test$/)
  }
})

test('no order publishes a name without an address, or no name at all', () => {
  for (const { order } of everyOrder()) {
    if (order.subject !== 'infra.publish-names') continue
    assert.ok(order.body.names.length > 0)
    for (const { addresses } of order.body.names) assert.ok(addresses.length > 0 && !addresses.includes(''))
  }
})

const published = (events: readonly JobEvent[]): readonly Names[] =>
  ordersOf(events).flatMap(({ order }) => (order.subject === 'infra.publish-names' ? order.body.names : []))
const name = (label: string, ...numbers: readonly number[]): Names => ({
  name: label,
  addresses: numbers.map((number) => `203.0.113.${number}`),
  ttlSeconds: 5,
})
const endpoint = [name('clu_1.ccx.test', 1), name('replica.clu_1.ccx.test', 2, 3)]

test('a deployment publishes a name for each node, then the primary\'s and the replicas\'', () =>
  assert.equal(published(playSaga({ saga: sagas['deploy-datastore'], input: newInput(3) }).events), [
    name('db-1.clu_1.ccx.test', 1), name('db-2.clu_1.ccx.test', 2), name('db-3.clu_1.ccx.test', 3), ...endpoint,
  ]))

test('a datastore of one node has no name for replicas', () =>
  assert.equal(published(playSaga({ saga: sagas['deploy-datastore'], input: newInput(1) }).events), [
    name('db-1.clu_1.ccx.test', 1), name('clu_1.ccx.test', 1),
  ]))

const stopFails = ({ step, course }: Place): Fate => (step === 'stop' && course === 'forward' ? 'refuses' : 'succeeds')
const backOf = (size: 'new' | 'deployed') => {
  const input = size === 'new' ? newInput(3) : deployedInput(3)
  const { events, state } = playSaga({ saga: sagas['delete-datastore'], input, fateOf: stopFails })
  assert.is(state.status, 'failed')
  return ordersOf(events).filter(({ course }) => course === 'back')
}

test('an abandoned deletion starts the servers and publishes the endpoint as it was', () => {
  const back = backOf('deployed')
  assert.equal(back.map(({ order, key }) => `${order.subject} ${key}`), [
    'cmon.start-node nod_1', 'cmon.start-node nod_2', 'cmon.start-node nod_3', 'infra.publish-names all',
  ])
  assert.equal(back.flatMap(({ order }) => (order.subject === 'infra.publish-names' ? order.body.names : [])), endpoint)
})

test('an abandoned deletion of what was never deployed starts and publishes nothing', () => assert.equal(backOf('new'), []))

test('a datastore that was never deployed is deleted by the same steps', () => {
  const saga = sagas['delete-datastore']
  const subjects = (deployed: boolean) =>
    ordersOf(playSaga({ saga, input: deployed ? deployedInput(3) : newInput(3) }).events).map(({ order }) => order.subject)
  assert.equal(subjects(false), subjects(true))
})

test.run()
