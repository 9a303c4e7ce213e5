import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { DatastoreEvent } from '../../domain/datastore/messages.ts'
import type { DatastoreSpec } from '../../domain/datastore/spec.ts'
import { later } from '../../domain/kernel/time.ts'
import { datastores } from '../../projections/datastores.ts'
import { conditionOf } from '../../projections/health.ts'
import { nodes } from '../../projections/nodes.ts'
import { outages } from '../../projections/outages.ts'
import { outageReplyOf } from '../../read-api/outages-reply.ts'
import { exampleNodes, exampleSpec, noon } from '../support/examples.ts'
import { recorded, rowsAfter } from '../support/folding.ts'

const test = suite('the outages of a datastore, as they are read')

const datastoreId = 'clu_1'
const at = (seconds: number) => later(noon, seconds * 1_000)
const about = (seconds: number) => ({ datastoreId, at: at(seconds) })

const made = (size: number, synchronous = false): readonly DatastoreEvent[] => {
  const highAvailability = { synchronous, prefer: 'consistency', repairAfterSeconds: 300, lagMaxBytes: 1 } as const
  const spec: DatastoreSpec = { ...exampleSpec(size), highAvailability }
  return [
    { type: 'DatastoreCreated', data: { ...about(0), spec, fingerprint: 'f' } },
    { type: 'DatastoreDeployed', data: { ...about(1), nodes: exampleNodes(size) } },
  ]
}
const failing = (jobId: string, lostId: string, seconds: number): DatastoreEvent => {
  const seen = { lastSeenAt: at(seconds - 2), observedAt: at(seconds - 1), because: 'it does not answer', lastKnownBytes: 100 }
  const change = { kind: 'fail-over', lostId, ...seen } as const
  return { type: 'JobQueued', data: { ...about(seconds), jobId, kind: 'fail-over', ownerId: 'own_1', change } }
}
const given = (jobId: string, seconds: number): readonly DatastoreEvent[] => [
  { type: 'JobAbandonmentAsked', data: { ...about(seconds), jobId, because: 'the next one is lost as well' } },
  ended(jobId, seconds),
]
const ended = (jobId: string, seconds: number, end: 'finished' | 'failed' = 'failed'): DatastoreEvent => ({
  type: 'JobEnded', data: { ...about(seconds), jobId, kind: 'fail-over', end, because: end === 'failed' ? 'no fence' : null },
})
const changed = (jobId: string, [formerId, primaryId]: readonly [string, string], seconds: number): DatastoreEvent => ({
  type: 'PrimaryChanged',
  data: {
    ...about(seconds), jobId, epoch: 2, formerId, primaryId, lostBytesMax: 12, fencedBy: 'powered-off',
    lastSeenAt: at(10), because: 'it does not answer', writesBackAt: at(seconds - 1),
  },
})
const held = (seconds: number): DatastoreEvent => ({
  type: 'FailoverHeldBack',
  data: { ...about(seconds), primaryId: 'nod_1', lastSeenAt: at(seconds - 2), until: at(900), because: 'too often' },
})
const primaryBack = (seconds: number): DatastoreEvent => ({
  type: 'PrimaryRecovered', data: { ...about(seconds), primaryId: 'nod_1', lastSeenAt: at(10) },
})
const lost = (nodeId: string, seconds: number): DatastoreEvent => ({
  type: 'NodeLost', data: { ...about(seconds), nodeId, since: at(seconds - 5), because: 'it is silent' },
})
const recovered = (nodeId: string, seconds: number): DatastoreEvent => ({
  type: 'NodeRecovered', data: { ...about(seconds), nodeId, downMs: 1_000 },
})
const restarted = (nodeId: string, role: 'primary' | 'replica', seconds: number): DatastoreEvent => ({
  type: 'ServerRestarted', data: { ...about(seconds), nodeId, role, downSince: at(seconds - 3), backAt: at(seconds - 1) },
})

const log = (events: readonly DatastoreEvent[]) => recorded(() => 'datastore-clu_1', events)
const told = (...events: readonly DatastoreEvent[]) => {
  const row = rowsAfter(outages, log(events)).get(datastoreId)
  if (row === undefined) throw new Error('BUG: it was created')
  return row.outages.map((entry) => outageReplyOf(row.hostnames, entry))
}
const brief = (...events: readonly DatastoreEvent[]) =>
  told(...events).map(({ kind, outcome, writes_out_ms }) => [kind, outcome, writes_out_ms])
const condition = (...events: readonly DatastoreEvent[]) => {
  const row = rowsAfter(datastores, log(events)).get(datastoreId)
  return row && conditionOf(row.health)
}

test('a failover is told whole, once writes are back', () => {
  const events = [...made(3), failing('job_2', 'nod_1', 12)]
  assert.equal(brief(...events), [['failover', 'going-on', null]])
  assert.is(condition(...events), 'failing')
  const after = [...events, changed('job_2', ['nod_1', 'nod_2'], 15), ended('job_2', 15, 'finished')]
  assert.equal(told(...after), [
    {
      kind: 'failover', outcome: 'over',
      node: { host_uuid: 'nod_1', hostname: 'db-1.clu_1.ccx.test' },
      new_primary: { host_uuid: 'nod_2', hostname: 'db-2.clu_1.ccx.test' },
      last_seen_at: at(10), detected_at: at(11), ended_at: at(14), writes_out_since: at(10), writes_back_at: at(14),
      writes_out_ms: 4_000, reason: 'it does not answer', fenced_by: 'powered-off', lost_bytes_max: 12, job_uuid: 'job_2',
    },
  ])
  assert.is(condition(...after), 'degraded')
  assert.is(condition(...after, recovered('nod_1', 30)), 'well')
})

test('a failover that took the place of another one tells of the whole outage', () => {
  const events = [
    ...made(3), failing('job_2', 'nod_1', 12), ...given('job_2', 20), failing('job_3', 'nod_2', 20),
    changed('job_3', ['nod_2', 'nod_3'], 25),
  ]
  assert.equal(brief(...events), [['failover', 'superseded', null], ['failover', 'over', 14_000]])
  const later = [...events, failing('job_4', 'nod_3', 62), changed('job_4', ['nod_3', 'nod_1'], 65)]
  assert.equal(brief(...later).at(-1), ['failover', 'over', 4_000])
})

test('after a failover that came to nothing writes are out until the primary is back', () => {
  const events = [...made(2), failing('job_2', 'nod_1', 12), ended('job_2', 20)]
  assert.equal([brief(...events), condition(...events)], [[['failover', 'came-to-nothing', null]], 'failing'])
  const back = [...events, primaryBack(30)]
  assert.equal([brief(...back), condition(...back)], [[['failover', 'came-to-nothing', 20_000]], 'well'])
})

test('of several attempts in one outage the last one tells how long it was', () => {
  const events = [...made(3), failing('job_2', 'nod_1', 12), ended('job_2', 20), held(21), failing('job_3', 'nod_1', 42)]
  const outcomes = [['failover', 'came-to-nothing', null], ['failover-held-back', 'over', null]]
  assert.equal(brief(...events), [...outcomes, ['failover', 'going-on', null]])
  const over = [...events, changed('job_3', ['nod_1', 'nod_2'], 46), ended('job_3', 46, 'finished')]
  assert.equal(brief(...over), [...outcomes, ['failover', 'over', 35_000]])
  assert.equal(brief(...events, ended('job_3', 46), primaryBack(50)), [...outcomes, ['failover', 'came-to-nothing', 40_000]])
  const next = [...over, failing('job_4', 'nod_2', 102), changed('job_4', ['nod_2', 'nod_3'], 105)]
  assert.equal(brief(...next).at(-1), ['failover', 'over', 4_000])
})

test('a failover that is held back is over with the next one, or when the primary is back', () => {
  const events = [...made(2), held(12)]
  assert.equal([brief(...events), condition(...events)], [[['failover-held-back', 'going-on', null]], 'failing'])
  const back = [...events, restarted('nod_1', 'primary', 18)]
  assert.equal(brief(...back), [['failover-held-back', 'over', 7_000], ['server-restart', 'over', 2_000]])
  assert.is(condition(...back), 'well')
  const answered = [...events, primaryBack(16)]
  assert.equal([brief(...answered), condition(...answered)], [[['failover-held-back', 'over', 6_000]], 'well'])
  const next = [...events, failing('job_2', 'nod_1', 1_000)]
  assert.equal(told(...next).map(({ outcome, writes_out_since }) => [outcome, writes_out_since]), [
    ['over', at(10)], ['going-on', at(10)],
  ])
})

test('the restart of a replica, and its loss, keep no writes away', () => {
  const events = [...made(3), restarted('nod_2', 'replica', 10), lost('nod_3', 20)]
  assert.equal(brief(...events), [['server-restart', 'over', 0], ['node-lost', 'going-on', 0]])
  assert.is(condition(...events), 'degraded')
  assert.equal(brief(...events, recovered('nod_3', 40)).at(-1), ['node-lost', 'over', 0])
})

test('the loss of the only node keeps writes away until it is back', () => {
  const events = [...made(1), lost('nod_1', 20)]
  assert.equal([brief(...events), condition(...events)], [[['node-lost', 'going-on', null]], 'failing'])
  assert.equal(brief(...events, recovered('nod_1', 45)), [['node-lost', 'over', 30_000]])
})

test('in synchronous mode the loss of the last replica keeps writes away', () => {
  const events = [...made(3, true), lost('nod_2', 20), lost('nod_3', 30)]
  assert.equal(brief(...events), [['node-lost', 'going-on', 0], ['node-lost', 'going-on', null]])
  assert.is(condition(...events), 'failing')
  const back = [...events, recovered('nod_2', 55)]
  assert.equal(brief(...back), [['node-lost', 'over', 0], ['node-lost', 'going-on', 30_000]])
})

test('a node that was replaced is lost no more', () => {
  const [, , third] = exampleSpec(3).nodes
  if (third === undefined) throw new Error('BUG: the example has three nodes')
  const replacement = { ...third, nodeId: 'nod_4', name: 'db-4' }
  const change = { kind: 'repair-node', nodeId: 'nod_2', replacement } as const
  const there = exampleNodes(4).filter(({ nodeId }) => nodeId !== 'nod_2' && nodeId !== 'nod_3')
  const replaced: DatastoreEvent = { type: 'DatastoreChanged', data: { ...about(60), jobId: 'job_2', change, nodes: there } }
  assert.equal(brief(...made(2), lost('nod_2', 20), replaced), [['node-lost', 'replaced', 0]])
  assert.is(condition(...made(2), lost('nod_2', 20), replaced), 'well')
})

test('nodes show who is the primary, who is lost and who is brought back', () => {
  const shown = (...events: readonly DatastoreEvent[]) =>
    rowsAfter(nodes, log([...made(2), ...events])).get(datastoreId)?.nodes.map(({ role, condition: now }) => [role, now])
  const after = [failing('job_2', 'nod_1', 12), changed('job_2', ['nod_1', 'nod_2'], 15)]
  assert.equal(shown(...after), [['replica', 'lost'], ['primary', 'well']])
  const change = { kind: 'rejoin-node', nodeId: 'nod_1' } as const
  const input = { datastoreId, spec: exampleSpec(2), nodes: exampleNodes(2), change }
  const begun: DatastoreEvent = { type: 'JobAdmitted', data: { ...about(20), jobId: 'job_3', kind: 'rejoin-node', input } }
  const givenUp: DatastoreEvent = { type: 'ChangeAbandoned', data: { ...about(30), jobId: 'job_3', change, because: 'no' } }
  assert.equal(shown(...after, begun), [['replica', 'recovering'], ['primary', 'well']])
  assert.equal(shown(...after, begun, givenUp), [['replica', 'lost'], ['primary', 'well']])
  assert.equal(shown(...after, begun, recovered('nod_1', 40)), [['replica', 'well'], ['primary', 'well']])
})

test('what befell a datastore stays to be read when it is deleted', () => {
  assert.equal(brief(...made(2), lost('nod_2', 20), { type: 'DatastoreDeleted', data: about(60) }), [['node-lost', 'over', 0]])
})

test.run()
