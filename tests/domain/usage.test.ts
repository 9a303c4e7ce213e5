import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { DatastoreEvent } from '../../domain/datastore/messages.ts'
import { billOf, livesIn, type Usage, type Window } from '../../domain/usage/bill.ts'
import type { UsageRow } from '../../projections/schema.ts'
import { usage as projection } from '../../projections/usage.ts'
import { exampleNodes, exampleSpec } from '../support/examples.ts'
import { recorded, rowsAfter } from '../support/folding.ts'
import { randomHistory } from '../support/history.ts'

const test = suite('what a datastore used')

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const day = (n: number): string => new Date(Date.UTC(2030, 0, 1) + n * DAY_MS).toISOString()
const window = (from: number, until: number) => ({ fromMs: Date.parse(day(from)), untilMs: Date.parse(day(until)) })

const spec = { ...exampleSpec(2), volume: { type: 'fast', sizeGib: 10, iops: 100 } }
const nodes = exampleNodes(3)
const about = (n: number) => ({ datastoreId: 'clu_1', at: day(n) })
const created = (n: number): DatastoreEvent => ({ type: 'DatastoreCreated', data: { ...about(n), spec, fingerprint: 'f' } })
const deployed = (n: number): DatastoreEvent => ({ type: 'DatastoreDeployed', data: { ...about(n), nodes: nodes.slice(0, 2) } })
const third = { nodeId: 'nod_3', name: 'db-3', zone: 'zone-3', instance: { code: 'small', cpu: 2, ramGb: 4 } }
const grown = (n: number): DatastoreEvent => ({
  type: 'DatastoreChanged',
  data: { ...about(n), jobId: 'job_2', change: { kind: 'add-nodes', nodes: [third], nodesMax: 5 }, nodes },
})
const deletion = (n: number): DatastoreEvent => ({ type: 'DeletionStarted', data: about(n) })
const abandoned = (n: number): DatastoreEvent => ({ type: 'DeletionAbandoned', data: { ...about(n), because: 'it hangs' } })
const deleted = (n: number): DatastoreEvent => ({ type: 'DatastoreDeleted', data: about(n) })

const usageOf = ({ datastore_id, owner_id, vendor, type, segments, created_at, deleted_at }: UsageRow): Usage => ({
  datastoreId: datastore_id, ownerId: owner_id, vendor, type, segments, createdAt: created_at, deletedAt: deleted_at,
})

const after = (events: readonly DatastoreEvent[]): Usage => {
  const [row] = rowsAfter(projection, recorded(() => 'datastore-clu_1', events)).values()
  if (row === undefined) throw new Error('BUG: there is a datastore')
  return usageOf(row)
}
const bill = (events: readonly DatastoreEvent[], of: Window) => billOf(after(events), of)

test('nodes are counted from the deployment on, by their size', () => {
  const { instances, volumes, nodes: count } = bill([created(0), deployed(1)], window(0, 3))
  assert.equal(instances, [{ code: 'tiny', hours: 2 * 48, events: ['event-1'] }])
  assert.equal(volumes, [
    { type: 'fast', iops: 200, iopsHours: 200 * 48, gibHours: 20 * 48, averageGib: 20, events: ['event-1'] },
  ])
  assert.is(count, 2)
})

test('a change is charged from its event on, and both events that bound a line are named', () => {
  const { instances, volumes } = bill([created(0), deployed(1), grown(2), deletion(4)], window(0, 10))
  assert.equal(instances, [
    { code: 'small', hours: 48, events: ['event-2', 'event-3'] },
    { code: 'tiny', hours: 2 * 72, events: ['event-1', 'event-3'] },
  ])
  assert.equal(volumes[0]?.gibHours, 20 * 24 + 30 * 48)
  assert.equal(volumes[0]?.averageGib, 26.666667)
})

const power = (n: number, kind: 'stop-datastore' | 'start-datastore'): DatastoreEvent => ({
  type: 'DatastoreChanged',
  data: { ...about(n), jobId: 'job_3', change: { kind }, nodes: nodes.slice(0, 2) },
})

test('while it is stopped a datastore has volumes and no instances', () => {
  const events = [created(0), deployed(0), power(1, 'stop-datastore'), power(3, 'start-datastore')]
  const { instances, volumes, nodes: count } = bill(events, window(0, 4))
  assert.equal(instances, [{ code: 'tiny', hours: 2 * 48, events: ['event-1', 'event-2', 'event-3'] }])
  assert.equal([volumes[0]?.gibHours, count], [20 * 96, 2])
})

test('a datastore that never came up has used nothing', () => {
  const { instances, volumes, nodes: count } = bill([created(0), deletion(2), deleted(3)], window(0, 10))
  assert.equal([instances, volumes, count], [[], [], 0])
})

test('whoever asks for the deletion pays no more, unless it comes to nothing', () => {
  const gone = bill([created(0), deployed(0), deletion(1), deleted(5)], window(0, 10))
  assert.equal([gone.instances[0]?.hours, gone.deletedAt], [48, day(1)])
  const kept = bill([created(0), deployed(0), deletion(1), abandoned(5)], window(0, 10))
  assert.equal([kept.instances[0]?.hours, kept.deletedAt], [2 * 24 * 6, null])
})

test('a month that is over comes out the same, whatever happens later', () => {
  const before = [created(0), deployed(1)]
  const month = window(0, 31)
  assert.equal(bill(before, month), bill([...before, grown(40), deletion(50), deleted(51)], month), 'to the byte')
})

test('a datastore is listed where any part of its life lies in the window', () => {
  const usage = after([created(10), deployed(10), deletion(20), deleted(21)])
  const lives = (from: number, until: number): boolean => livesIn(usage, window(from, until))
  assert.equal([lives(0, 10), lives(0, 11), lives(12, 13), lives(20, 30), lives(21, 30)], [false, true, true, true, false])
})

test('what two windows that meet have used is what both together have, in any history', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), fc.double({ min: 0, max: 1, noNaN: true }), (seed, cut) => {
      const events = randomHistory(seed, { datastores: 3, moves: 120 }).flatMap(({ stream, events: written }) =>
        written.map((event) => ({ stream, event })),
      )
      let n = -1
      const log = recorded(() => events[++n]?.stream ?? '', events.map(({ event }) => event))
      const spans = [...rowsAfter(projection, log).values()]
      for (const usage of spans.map(usageOf)) {
        const [fromMs, untilMs] = [Date.parse(usage.createdAt), Date.parse(usage.createdAt) + 100 * HOUR_MS]
        const midMs = Math.round(fromMs + (untilMs - fromMs) * cut)
        const hours = (of: Window): number => billOf(usage, of).volumes.reduce((sum, { gibHours }) => sum + gibHours, 0)
        const apart = hours({ fromMs, untilMs: midMs }) + hours({ fromMs: midMs, untilMs })
        assert.ok(Math.abs(apart - hours({ fromMs, untilMs })) < 0.001, usage.datastoreId)
        for (const { from, until } of usage.segments) assert.ok(until === null || from < until)
      }
    }),
    { numRuns: 40 },
  )
})

test.run()
