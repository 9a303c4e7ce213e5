import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { actorText, printable, sinceText, theOne, valueText } from '../../infra/main/cli/histories.ts'
import { eventLines } from '../../infra/main/cli/replay.ts'
import { whyLines } from '../../infra/main/cli/why.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { isKnown } from '../../projections/known-event.ts'
import { noon } from '../support/examples.ts'
import { randomHistory, writer } from '../support/history.ts'

const test = suite('an operator looks into a history')

const store = memoryEventStore(() => noon)
await writer(store)(randomHistory(1, { datastores: 1, moves: 20 }))
const begun = (await store.readAll({ after: 'start', prefixes: ['datastore-'], limit: 1 })).find(isKnown)
if (begun?.type !== 'DatastoreCreated') throw new Error('BUG: the history begins with a datastore')
const beginning = begun

const actor = { kind: 'operator', id: 'acc_1', login: 'olga@example.com', client_id: null, role: 'admin' } as const
const event = { id: 'e1', type: 'DatastoreCreated', stream: 'datastore-1', position: '7/7', at: noon, what: 'It began' }
const request = { actor, request_id: 'req-1', command: 'CreateDatastore', command_id: 'c1', at: noon }

test('what a tenant wrote cannot tell the terminal what to do', () => {
  assert.is(printable('a\u001b[31mred\u202e\n'), 'a?[31mred??')
  assert.is(printable('Zürich “ok” 数'), 'Zürich “ok” 数')
})

test('a value is one line, and nothing is a dash', () => {
  assert.is(valueText(null), '—')
  assert.is(valueText('x'.repeat(100)).length, 61)
  assert.is(valueText(['a']), '["a"]')
})

test('somebody goes by his login, and by his id when he is gone', () => {
  assert.is(actorText(actor), 'olga@example.com (operator, admin)')
  assert.is(actorText({ ...actor, kind: 'client', login: null, client_id: 'cli_1' }), 'acc_1 (client, admin, client cli_1)')
})

test('time is counted from the beginning', () => {
  assert.is(sinceText(noon, '2030-01-01T12:01:02.345Z'), '+    62.345 s')
})

test('a name that several had means the one that is left, or must be told apart by id', () => {
  const named = (datastoreId: string, deletedAt?: string) => ({ datastoreId, beginning, createdAt: noon, deletedAt })
  assert.is(theOne('shop', [named('a', noon), named('b')]).datastoreId, 'b')
  assert.is(theOne('shop', [named('a', noon)]).datastoreId, 'a')
  assert.throws(() => theOne('shop', []), /there is and was no datastore shop/)
  assert.throws(() => theOne('shop', [named('a'), named('b')]), /2 datastores go or went by shop[^]*\n {2}a {2}since .*\n {2}b/)
})

test('an event is told with what it changed, but not with what follows from it anyway', () => {
  const changes = [
    { field: 'cluster_status', from: 'DEPLOYING', to: 'STARTED' },
    { field: 'updated_at', from: noon, to: noon },
    { field: 'vpc', from: null, to: null },
  ]
  assert.equal(eventLines({ ...event, actor, request_id: null, changes }, noon), [
    '+     0.000 s  It began, by olga@example.com (operator, admin)',
    '                  cluster_status  "DEPLOYING" → "STARTED"',
  ])
})

test('a field that is named is told with all that led to it, others below the event that set them', () => {
  const order = { id: 'o1', subject: 'infra.create-machine' }
  const step = { name: 'machines', title: 'Create the machines', undo: false, attempt: 1, node: 'db-1', order }
  const job = { job_id: 'j1', kind: 'deploy-datastore', step }
  const chain = [request, { ...event, order }]
  const field = { field: 'nodes.db-1.private_ip', value: '10.0.0.1', set_by: event, request, job, chain }
  assert.equal(whyLines({ uuid: 'u', fields: [field] }, true), [
    'nodes.db-1.private_ip = "10.0.0.1"',
    '  set by   DatastoreCreated e1, 2030-01-01T12:00:00.000Z, at 7/7',
    '  asked    by olga@example.com (operator, admin) with CreateDatastore, request req-1',
    '  through  job j1 (deploy-datastore), step “Create the machines” on db-1, attempt 1',
    '  so',
    '    +     0.000 s  CreateDatastore was asked for',
    '    +     0.000 s  It began (infra.create-machine, order o1)',
  ])
  assert.equal(whyLines({ uuid: 'u', fields: [field, { ...field, field: 'uuid', value: 'u' }] }, false), [
    '2030-01-01T12:00:00.000Z  It began; asked for by olga@example.com (operator, admin)',
    '    nodes.db-1.private_ip  "10.0.0.1"',
    '    uuid                   "u"',
  ])
})

test.run()
