import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { JobEvent } from '../../domain/job/messages.ts'
import type { Names, Order, OrderSubject, Place } from '../../domain/job/orders.ts'
import { type Facts, type Saga, type Step, keysOf } from '../../domain/job/saga.ts'
import { sagas } from '../../sagas/index.ts'
import { deployedThings } from '../support/deployed.ts'
import { deployedInput, inputsOf, newInput, shapeBefore } from '../support/examples.ts'
import { type Plan, everyPlan, fullestPlan } from '../support/every-plan.ts'
import { type Fate, playSaga } from '../support/play-saga.ts'

const test = suite('the plans')

type Remedy =
  | { readonly by: readonly OrderSubject[]; readonly goesWith?: OrderSubject }
  | { readonly goesWith: OrderSubject }
  | 'nothing'
  | 'destroys'
/**
 * What can be done about each order's effect once the job unwinds. A new subject does not compile until it has its line here.
 * `destroys`: what it takes away cannot be had back, so its step must be irreversible.
 */
const remedies: Readonly<Record<OrderSubject, Remedy>> = {
  'infra.create-network': { by: ['infra.delete-network'] },
  'infra.delete-network': { by: ['infra.create-network'] },
  'infra.create-machine': { by: ['infra.delete-machine'] },
  'infra.delete-machine': 'destroys',
  'infra.allocate-address': { by: ['infra.release-address'] },
  'infra.release-address': 'destroys',
  'infra.create-volume': { by: ['infra.delete-volume'] },
  'infra.check-volume': 'nothing',
  'infra.grow-volume': 'destroys',
  'infra.change-volume': { by: ['infra.change-volume'] },
  'infra.delete-volume': 'destroys',
  'infra.set-firewall': 'destroys',
  'infra.boot-machine': { by: ['infra.halt-machine'], goesWith: 'infra.delete-machine' },
  'infra.halt-machine': { by: ['infra.boot-machine'] },
  'infra.resize-machine': { by: ['infra.resize-machine'] },
  'infra.publish-names': { by: ['infra.withdraw-names', 'infra.publish-names'] },
  'infra.withdraw-names': { by: ['infra.publish-names'] },
  'infra.sweep': 'destroys',
  'cmon.register-cluster': { by: ['cmon.forget-cluster', 'cmon.register-cluster'] },
  'cmon.forget-cluster': { by: ['cmon.register-cluster'] },
  'cmon.install-node': { by: ['cmon.erase-node'] },
  'cmon.bootstrap-primary': { by: ['cmon.erase-node'] },
  'cmon.join-replica': { by: ['cmon.erase-node'] },
  'cmon.configure-node': { by: ['cmon.configure-node'] },
  'cmon.set-trusted': 'nothing',
  'cmon.catch-up': 'nothing',
  'cmon.promote-replica': 'destroys',
  'cmon.follow-primary': 'destroys',
  'cmon.restart-node': { by: ['cmon.start-node'] },
  'cmon.resume-node': { by: ['cmon.stop-node'] },
  'cmon.apply-parameters': { by: ['cmon.apply-parameters'] },
  'cmon.forget-node': 'destroys',
  'cmon.create-account': { goesWith: 'cmon.erase-node' },
  'cmon.set-admin': { by: ['cmon.set-admin'] },
  'cmon.put-database': { by: ['cmon.unmake-database'] },
  'cmon.unmake-database': 'destroys',
  'cmon.close-database': { by: ['cmon.open-database'] },
  'cmon.open-database': { by: ['cmon.close-database'] },
  'cmon.drop-database': 'destroys',
  'cmon.put-user': { by: ['cmon.unmake-user', 'cmon.put-user'] },
  'cmon.unmake-user': 'destroys',
  'cmon.drop-user': 'destroys',
  'cmon.check-cluster': 'nothing',
  'cmon.stop-node': { by: ['cmon.start-node', 'cmon.resume-node'] },
  'cmon.start-node': { by: ['cmon.stop-node'] },
  'cmon.erase-node': 'destroys',
  'cmon.revive-node': 'nothing',
  'cmon.end-writers': 'nothing',
  'cmon.fence-node': { by: ['cmon.unfence-node'] },
  'cmon.unfence-node': { by: ['cmon.fence-node'] },
  'cmon.elect-primary': 'nothing',
  'cmon.rejoin-node': 'nothing',
}

type OrderedEvent = Extract<JobEvent, { readonly type: 'StepOrdered' }>
const ordersOf = (events: readonly JobEvent[]): readonly OrderedEvent['data'][] =>
  events.flatMap((event) => (event.type === 'StepOrdered' ? [event.data] : []))

/** The facts as they are when a job has finished. */
const factsAfter = ({ saga, input }: Plan): Facts => {
  const { state } = playSaga({ saga, input, before: deployedThings(shapeBefore(input)) })
  return { input: state.input, learned: state.learned }
}
const nodeOf = ({ body }: Order): string | undefined => ('nodeId' in body ? body.nodeId : undefined)
const isReversible = (saga: Saga, step: Step): boolean =>
  !saga.steps.slice(0, saga.steps.indexOf(step) + 1).some(({ irreversible }) => irreversible === true)

test('every kind of job has the plan of that kind', () => {
  for (const { kind, saga } of everyPlan) assert.is(saga.kind, kind)
})

test('every plan has a title and steps, and no two steps share a name or a title', () => {
  for (const { saga: { title, steps } } of everyPlan) {
    assert.ok(title.length > 0 && steps.length > 0)
    assert.is(new Set(steps.map((step) => step.name)).size, steps.length)
    assert.is(new Set(steps.map((step) => step.title)).size, steps.length)
  }
})

type Spot = { readonly saga: Saga; readonly step: Step; readonly facts: Facts; readonly key: string }

const assertRemedy = ({ saga, step, facts, key }: Spot): void => {
  const order = step.does(facts, key)
  const remedy = remedies[order.subject]
  assert.is.not(remedy, 'destroys', `${order.subject} cannot be undone, so the step must be irreversible`)
  if (typeof remedy === 'string') return
  const undo = step.undo?.(facts, key)?.subject
  // To bring up what was there before leaves nothing that an unwinding would have to take down.
  const wasThere = facts.input.nodes.some(({ nodeId }) => nodeId === nodeOf(order))
  if (typeof remedy === 'object' && 'goesWith' in remedy && wasThere && undo === undefined) return
  if ('by' in remedy && (undo !== undefined || remedy.goesWith === undefined)) {
    const isMended = undo === undefined ? nothingWasThere(order, facts) : remedy.by.includes(undo)
    return assert.ok(isMended, `${order.subject} is undone by ${undo}`)
  }
  const earlier = saga.steps.slice(0, saga.steps.indexOf(step))
  const undos = earlier.flatMap((one) => keysOf(one, facts).flatMap((each) => one.undo?.(facts, each) ?? []))
  const covered = undos.some((other) => other.subject === remedy.goesWith && nodeOf(other) === nodeOf(order))
  assert.ok(covered, `${order.subject} goes with ${remedy.goesWith}, which no earlier step's undo orders for the same node`)
}

/** What takes a thing away needs no remedy where there was no such thing. */
const nothingWasThere = (order: Order, { input: { nodes, spec } }: Facts): boolean =>
  (nodes.length === 0 || spec.stopped === true) && removes.has(order.subject)

const removes: ReadonlySet<OrderSubject> = new Set(['infra.withdraw-names', 'cmon.stop-node'])

for (const plan of everyPlan) {
  const { saga, name } = plan
  test(`${saga.kind}, ${name}: each step has a name for machines, a title for people, and limits within reason`, () => {
    for (const step of saga.steps) {
      assert.match(step.name, /^[a-z]+(-[a-z0-9]+)*$/)
      assert.match(step.title, /^[A-Z][^.]{5,80}$/)
      assert.ok(step.timeoutMs >= 10_000 && step.timeoutMs <= 30 * 60_000, `${step.name}: ${step.timeoutMs} ms`)
      assert.ok(step.attemptsMax >= 2 && step.attemptsMax <= 10, `${step.name}: ${step.attemptsMax} attempts`)
      assert.ok(step.backoffMs >= 100 && step.backoffMs <= 60_000, `${step.name}: ${step.backoffMs} ms`)
    }
  })

  test(`${saga.kind}, ${name}: what each step does has its remedy`, () => {
    const facts = factsAfter(plan)
    for (const step of saga.steps) {
      if (!isReversible(saga, step)) {
        assert.is(step.undo, undefined, `${step.name}: a step past the return is never undone`)
        continue
      }
      for (const key of keysOf(step, facts)) assertRemedy({ saga, step, facts, key })
    }
  })
}

test('what is irreversible stays so to the end of the plan, in its own words', () => {
  for (const { saga: { steps } } of everyPlan) {
    const first = steps.findIndex(({ irreversible }) => irreversible === true)
    if (first >= 0) for (const step of steps.slice(first)) assert.is(step.irreversible, true, step.name)
  }
})

/** Every order that a saga can give, forward and back. */
const everyOrder = (): readonly OrderedEvent['data'][] =>
  everyPlan.flatMap(({ saga, input }) =>
    saga.steps.flatMap(({ name }) => {
      const fateOf = ({ step, course, attempt }: Place): Fate =>
        step === name && course === 'forward' && attempt === 1 ? 'refuses' : 'succeeds'
      return ordersOf(playSaga({ saga, input, before: deployedThings(shapeBefore(input)), fateOf }).events)
    }),
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
  assert.equal(published(playSaga({ saga: sagas['deploy-datastore'](newInput(3)), input: newInput(3) }).events), [
    name('db-1.clu_1.ccx.test', 1), name('db-2.clu_1.ccx.test', 2), name('db-3.clu_1.ccx.test', 3), ...endpoint,
  ]))

test('a datastore of one node has no name for replicas', () =>
  assert.equal(published(playSaga({ saga: sagas['deploy-datastore'](newInput(1)), input: newInput(1) }).events), [
    name('db-1.clu_1.ccx.test', 1), name('clu_1.ccx.test', 1),
  ]))

const stopFails = ({ step, course }: Place): Fate => (step === 'stop' && course === 'forward' ? 'refuses' : 'succeeds')
const backOf = (size: 'new' | 'deployed') => {
  const input = size === 'new' ? newInput(3) : deployedInput(3)
  const { events, state } = playSaga({ saga: sagas['delete-datastore'](input), input, fateOf: stopFails })
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
  const subjects = (deployed: boolean) => {
    const input = deployed ? deployedInput(3) : newInput(3)
    return ordersOf(playSaga({ saga: sagas['delete-datastore'](input), input }).events).map(({ order }) => order.subject)
  }
  assert.equal(subjects(false), subjects(true))
})

const played = (kind: 'add-nodes' | 'remove-nodes' | 'fail-over') =>
  inputsOf[kind].map(([about, input]) => {
    const { events } = playSaga({ saga: sagas[kind](input), input, before: deployedThings(shapeBefore(input)) })
    const { change } = input
    const added = change?.kind === 'add-nodes' ? change.nodes.map(({ nodeId }) => nodeId) : []
    const changing = change?.kind === 'remove-nodes' ? change.nodeIds : added
    return { about, input, changing, orders: ordersOf(events).map(({ order }) => order) }
  })

test('the nodes that stay are told who the members are, and nothing else is done to them', () => {
  for (const { about, changing, orders } of [...played('add-nodes'), ...played('remove-nodes')]) {
    for (const order of orders) {
      const nodeId = nodeOf(order)
      if (nodeId === undefined || changing.includes(nodeId)) continue
      assert.is(order.subject, 'cmon.configure-node', `${about}: ${nodeId}`)
    }
  }
})

test('a node is let in before it joins, and led to once it is found whole', () => {
  for (const { about, changing, orders } of played('add-nodes')) {
    const subjects = orders.map(({ subject }) => subject)
    assert.ok(subjects.lastIndexOf('cmon.configure-node') < subjects.indexOf('cmon.join-replica'), about)
    assert.ok(subjects.lastIndexOf('infra.publish-names') > subjects.indexOf('cmon.check-cluster'), about)
    const joined = orders.flatMap((order) => (order.subject === 'cmon.join-replica' ? [nodeOf(order)] : []))
    assert.equal(joined, changing)
  }
})

test('a node that goes is led to no more before its data are erased, and its name goes before its machine', () => {
  for (const { about, changing, orders } of played('remove-nodes')) {
    const [first] = orders
    assert.is(first?.subject, 'infra.publish-names')
    const numbers = changing.map((nodeId) => `203.0.113.${nodeId.slice('nod_'.length)}`)
    const ledTo = first?.subject === 'infra.publish-names' ? first.body.names.flatMap(({ addresses }) => addresses) : []
    assert.not(ledTo.some((address) => numbers.includes(address)), about)
    const subjects = orders.map(({ subject }) => subject)
    assert.ok(subjects.lastIndexOf('infra.withdraw-names') < subjects.indexOf('infra.delete-machine'), about)
  }
})

test('the name of the replicas goes with the last of them', () => {
  const withdrawn = played('remove-nodes').map(({ about, orders }) => {
    const names = orders.flatMap((order) => (order.subject === 'infra.withdraw-names' ? order.body.names : []))
    return [about, names.includes('replica.clu_1.ccx.test')]
  })
  assert.equal(withdrawn, [
    ['1 of 2', true], ['the first of 2 after a promotion', true], ['1 of 3', false], ['2 of 3, one of them named twice', true],
  ])
})

test('a failover tells how much the promoted replica had, and of which decision the names are', () => {
  for (const { about, orders } of played('fail-over')) {
    const promoted = orders.flatMap((order) => (order.subject === 'cmon.promote-replica' ? [order.body.positionBytes] : []))
    const named = orders.flatMap((order) => (order.subject === 'infra.publish-names' ? [order.body.epoch] : []))
    assert.equal([promoted, named], [[1_000], [7]], about)
  }
})

test('a switchover stops the primary, compares, promotes, and only then leads anyone to the new one', () => {
  const { saga, input } = fullestPlan('promote-replica')
  const orders = ordersOf(playSaga({ saga, input, before: deployedThings(shapeBefore(input)) }).events)
  assert.equal(orders.map(({ order }) => `${order.subject} ${nodeOf(order) ?? ''}`.trim()), [
    'cmon.check-cluster', 'cmon.stop-node nod_1', 'cmon.catch-up nod_3', 'cmon.promote-replica nod_3',
    'infra.publish-names', 'cmon.follow-primary nod_1', 'cmon.configure-node nod_2', 'cmon.configure-node nod_3',
    'cmon.check-cluster', 'infra.publish-names',
  ])
  const names = orders.flatMap(({ order }) => (order.subject === 'infra.publish-names' ? [order.body.names] : []))
  assert.equal(names, [
    [name('clu_1.ccx.test', 3), name('replica.clu_1.ccx.test', 2)],
    [name('clu_1.ccx.test', 3), name('replica.clu_1.ccx.test', 1, 2)],
  ])
})

test('a switchover that cannot be carried on starts the primary again and promotes nobody', () => {
  for (const [, input] of inputsOf['promote-replica']) {
    const fateOf = ({ step }: Place): Fate => (step === 'caught-up' ? 'refuses' : 'succeeds')
    const { events, state } = playSaga({
      saga: sagas['promote-replica'](input), input, before: deployedThings(shapeBefore(input)), fateOf,
    })
    assert.is(state.status, 'failed')
    const subjects = ordersOf(events).map(({ order }) => order.subject)
    assert.equal(subjects, ['cmon.check-cluster', 'cmon.stop-node', 'cmon.catch-up', 'cmon.start-node'])
  }
})

test.run()
