import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { datastore } from '../../domain/datastore/datastore.ts'
import type { DatastoreCommand, DatastoreEvent, JobEnd } from '../../domain/datastore/messages.ts'
import type { Autoscale, DatastoreSpec } from '../../domain/datastore/spec.ts'
import { later } from '../../domain/kernel/time.ts'
import { exampleNodes, exampleSpec, noon } from '../support/examples.ts'

const test = suite('a datastore whose volumes fill up')

const datastoreId = 'clu_1'
const MINUTE_MS = 60_000
const on: Autoscale = { enabled: true, thresholdPercent: 75, stepPercent: 20, maxGib: 100 }
const at = (minutes: number): string => later(noon, minutes * MINUTE_MS)

type State = ReturnType<typeof datastore.evolve>
const after = (state: State, events: readonly DatastoreEvent[]): State => events.reduce(datastore.evolve, state)
const deployed = (part: Partial<DatastoreSpec> = {}): State => {
  const about = { datastoreId, at: noon }
  const spec = { ...exampleSpec(2), autoscale: on, ...part }
  return after({ status: 'absent' }, [
    { type: 'DatastoreCreated', data: { ...about, spec, fingerprint: 'f' } },
    { type: 'JobQueued', data: { ...about, jobId: 'job_0', kind: 'deploy-datastore', ownerId: 'own_1' } },
    { type: 'DatastoreDeployed', data: { ...about, nodes: exampleNodes(2) } },
    { type: 'JobEnded', data: { ...about, jobId: 'job_0', kind: 'deploy-datastore', end: 'finished', because: null } },
  ])
}
const decide = (state: State, command: DatastoreCommand): readonly DatastoreEvent[] => {
  const decision = datastore.decide(command, state)
  if ('rejected' in decision) throw new Error(`refused: ${decision.because}`)
  return decision
}

/** How full the volumes of the first nodes were, at that minute. */
const seen = (state: State, minute: number, ...percents: readonly number[]): readonly DatastoreEvent[] => {
  const volumes = percents.map((usedBytes, n) => ({ nodeId: `nod_${n + 1}`, usedBytes, totalBytes: 100 }))
  const data = { datastoreId, jobId: `job_${minute}`, observedAt: at(minute), volumes, now: at(minute) }
  return decide(state, { type: 'ReportDiskUsage', data })
}
const asked = (events: readonly DatastoreEvent[]) =>
  events.flatMap((event) => (event.type === 'JobQueued' && event.data.change !== undefined ? [event.data.change] : []))
const ended = (state: State, minute: number, end: JobEnd = 'finished'): State => {
  if (state.status === 'absent') throw new Error('BUG: it is there')
  const jobId = state.queue[0]?.jobId ?? ''
  const data = { datastoreId, jobId, end, because: null, nodes: exampleNodes(2), now: at(minute) }
  return after(state, decide(state, { type: 'RecordJobEnded', data }))
}

test('they grow by a step where they are fuller than the threshold, and the job says why', () => {
  assert.equal(seen(deployed(), 1, 74, 60), [])
  assert.equal(asked(seen(deployed(), 1, 60, 76)), [
    { kind: 'grow-volumes', sizeGib: 12, sizeGibMax: 100, because: 'the volume of db-2 is 76 % full, of 10 GiB' },
  ])
})

test('they grow by as many steps as it takes, and never beyond the budget', () => {
  const [change] = asked(seen(deployed(), 1, 99))
  assert.is(change?.kind === 'grow-volumes' && change.sizeGib, 15)
  const [short] = asked(seen(deployed({ autoscale: { ...on, maxGib: 11 } }), 1, 99))
  assert.is(short?.kind === 'grow-volumes' && short.sizeGib, 11)
  assert.equal(asked(seen(deployed({ autoscale: { ...on, maxGib: 10 } }), 1, 80)), [])
})

test('what is at work already, or was seen before it was done, asks for nothing', () => {
  const growing = after(deployed(), seen(deployed(), 1, 80))
  assert.equal(seen(growing, 2, 85), [])
  assert.equal(seen(growing, 2, 95), [])
  const grown = ended(growing, 3)
  assert.equal(seen(grown, 3, 85), [])
  assert.equal(seen(grown, 2, 85), [])
  assert.is(asked(seen(grown, 4, 85)).length, 1)
})

test('the same report twice leads to one job', () => {
  const state = deployed()
  const once = after(state, seen(state, 1, 80))
  assert.equal(seen(once, 1, 80), [])
  assert.equal(seen(ended(once, 2), 1, 80), [])
})

test('growth that failed is tried again after a while, growth that was called off after longer', () => {
  for (const [end, waitMinutes] of [['failed', 10], ['cancelled', 60]] as const) {
    const over = ended(after(deployed(), seen(deployed(), 1, 80)), 2, end)
    assert.equal(seen(over, 2 + waitMinutes - 1, 80), [], end)
    assert.is(asked(seen(over, 2 + waitMinutes, 80)).length, 1, end)
  }
})

test('a volume that is nearly full and may not grow holds writes back, once', () => {
  const fixed = deployed({ autoscale: { ...on, enabled: false } })
  assert.equal(seen(fixed, 1, 89, 40), [])
  const because = 'the volume of db-1 is 90 % full, of 10 GiB'
  assert.equal(asked(seen(fixed, 1, 90, 40)), [{ kind: 'set-read-only', readOnly: true, because }])
  const guarded = ended(after(fixed, seen(fixed, 1, 90)), 2)
  assert.equal(seen(guarded, 3, 97), [])
})

test('writes are taken again once every volume is well below, and not before', () => {
  const fixed = deployed({ autoscale: { ...on, enabled: false } })
  const guarded = ended(after(fixed, seen(fixed, 1, 90)), 2)
  for (const percents of [[89, 40], [85, 40], [40, 85]]) assert.equal(seen(guarded, 3, ...percents), [])
  const [change] = asked(seen(guarded, 3, 84, 40))
  assert.is(change?.kind === 'set-read-only' && change.readOnly, false)
  const lifted = ended(after(guarded, seen(guarded, 3, 84)), 4)
  assert.is(lifted.status === 'absent' || lifted.spec.readOnly, false)
  assert.equal(seen(lifted, 5, 84), [])
})

test('nothing is known of a guarded datastore whose primary does not answer', () => {
  const guarded = deployed({ readOnly: true })
  const volumes = [{ nodeId: 'nod_2', usedBytes: 10, totalBytes: 100 }]
  const data = { datastoreId, jobId: 'job_1', observedAt: at(1), volumes, now: at(1) }
  assert.equal(decide(guarded, { type: 'ReportDiskUsage', data }), [])
})

test('the full volume of a node that is lost holds no writes back', () => {
  const fixed = deployed({ autoscale: { ...on, enabled: false } })
  const data = { datastoreId, at: at(1), nodeId: 'nod_2', since: noon, because: 'its server does not answer' }
  const without = after(fixed, [{ type: 'NodeLost', data }])
  assert.equal(seen(without, 2, 40, 100), [])
  assert.equal(asked(seen(without, 2, 95, 100)).map(({ kind }) => kind), ['set-read-only'])
  const again = after(without, [{ type: 'NodeRecovered', data: { datastoreId, at: at(3), nodeId: 'nod_2', downMs: 1 } }])
  assert.equal(asked(seen(again, 4, 40, 100)).map(({ kind }) => kind), ['set-read-only'])
})

test('a datastore of long ago grows only when it is told to', () => {
  const { autoscale: _, ...spec } = { ...exampleSpec(2), autoscale: on }
  const about = { datastoreId, at: noon }
  const old = after({ status: 'absent' }, [
    { type: 'DatastoreCreated', data: { ...about, spec, fingerprint: 'f' } },
    { type: 'DatastoreDeployed', data: { ...about, nodes: exampleNodes(2) } },
  ])
  assert.equal(seen(old, 1, 89), [])
})

test('volumes of nodes that are gone, and of datastores that are going, are nobody\'s', () => {
  const volumes = [{ nodeId: 'nod_9', usedBytes: 99, totalBytes: 100 }]
  const data = { datastoreId, jobId: 'job_1', observedAt: at(1), volumes, now: at(1) }
  assert.equal(decide(deployed(), { type: 'ReportDiskUsage', data }), [])
  const going = after(deployed(), [{ type: 'DeletionStarted', data: { datastoreId, at: noon } }])
  assert.equal(seen(going, 1, 99), [])
})

test.run()
