import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Catalogue, VolumeType } from '../../domain/catalogue/catalogue.ts'
import { type Change, type Shape, changed, refusalOf, specAtWork } from '../../domain/datastore/changes/index.ts'
import { type ChangeRequest, planChanges } from '../../domain/datastore/plan-change.ts'
import { planAutoscale } from '../../domain/datastore/plan-volume.ts'
import type { DatastoreSpec } from '../../domain/datastore/spec.ts'
import { exampleNodes, exampleSpec } from '../support/examples.ts'
import { deepFreeze } from '../support/given.ts'

const test = suite('the volumes of a datastore')

const volume = (code: string, max: number, iops: VolumeType['iops'] = null): VolumeType => ({
  code, name: code, info: '', sizeGib: { min: 5, max, default: 10 }, iops, pricePerGibMonth: 0,
})
const cloud = {
  code: 'cloud-a', name: 'A', fullName: 'A', group: 'a', provider: 'provider-a', regions: [], instances: [], networks: [],
  volumes: [volume('fast', 100), volume('tuned', 50, { min: 100, max: 5000, default: 1000 }), volume('vast', 64_000)],
}
const limits = { nodesMax: 5, nameLengthMax: 8, tagsMax: 2, tagLengthMax: 4 }
const catalogue: Catalogue = deepFreeze({ vendors: [], clouds: [cloud], limits })

const shapeOf = (part: Partial<DatastoreSpec> = {}): Shape =>
  deepFreeze({ spec: { ...exampleSpec(2), ...part }, nodes: exampleNodes(2) })
const planned = (part: Partial<ChangeRequest>, shape = shapeOf()) =>
  planChanges({ addNodes: [], removeNodes: [], ...part }, { catalogue, shape, nodes: [] }, () => false)
const refused = (field: RegExp, part: Partial<ChangeRequest>, shape = shapeOf()): void => {
  const answer = planned(part, shape)
  assert.ok('rejected' in answer, JSON.stringify(part))
  assert.match(answer.because, field)
}
const typed = (type: string, sizeGib: number, iops: number | null) => ({ volume: { type, sizeGib, iops } })

test('they grow to what is asked for, within what is offered', () => {
  assert.equal(planned({ volumeSizeGib: 20 }), [{ kind: 'grow-volumes', sizeGib: 20, sizeGibMax: 100 }])
  refused(/^new_volume_size must be between 1 and 100/, { volumeSizeGib: 101 })
  refused(/^new_volume_size: gone is not offered/, { volumeSizeGib: 20 }, shapeOf(typed('gone', 10, null)))
  refused(/^new_volume_size must be between 1 and 10240/, { volumeSizeGib: 10_241 }, shapeOf(typed('vast', 10, null)))
})

test('the size that they have already is no change, a smaller one is refused', () => {
  assert.equal(planned({ volumeSizeGib: 10 }), [])
  const smaller: Change = { kind: 'grow-volumes', sizeGib: 9, sizeGibMax: 100 }
  assert.is(refusalOf(shapeOf(), smaller)?.rejected, 'volume-cannot-shrink')
  assert.match(refusalOf(shapeOf(), { ...smaller, sizeGib: 10 })?.because ?? '', /^new_volume_size must be more than the 10 GiB/)
  assert.is(refusalOf(shapeOf(), { ...smaller, sizeGib: 101 })?.rejected, 'volume-limit-reached')
})

test('a new node gets a volume as large as those there are by then', () => {
  const larger = changed(shapeOf(), { kind: 'grow-volumes', sizeGib: 20, sizeGibMax: 100 })
  assert.is(larger.spec.volume.sizeGib, 20)
  assert.is(specAtWork(larger, { kind: 'add-nodes', nodes: [], nodesMax: 5 }).volume.sizeGib, 20)
})

test('they become of another type, faster or larger, in one change', () => {
  assert.equal(planned({ volume: { type: 'tuned', iops: 200, sizeGib: 20 } }), [
    { kind: 'change-volume-type', ...typed('tuned', 20, 200), sizeGibMax: 50 },
  ])
  assert.equal(planned({ volume: { type: 'tuned' } }), [
    { kind: 'change-volume-type', ...typed('tuned', 10, null), sizeGibMax: 50 },
  ])
  assert.equal(planned({ volume: { sizeGib: 30 } }, shapeOf(typed('tuned', 10, 200))), [
    { kind: 'change-volume-type', ...typed('tuned', 30, 200), sizeGibMax: 50 },
  ])
  assert.equal(planned({ volume: { type: 'fast' } }, shapeOf(typed('tuned', 10, 200))), [
    { kind: 'change-volume-type', ...typed('fast', 10, null), sizeGibMax: 100 },
  ])
  assert.equal(planned({ volume: { type: 'fast', sizeGib: 10 } }), [])
})

test('a type, a speed or a size that is not offered is refused by the name of its field', () => {
  refused(/^change_volume\.new_volume_type must be one of: fast, tuned, vast/, { volume: { type: 'odd' } })
  refused(/^change_volume\.new_volume_iops cannot be chosen for fast/, { volume: { iops: 200 } })
  refused(/^change_volume\.new_volume_iops must be between 100 and 5000/, { volume: { type: 'tuned', iops: 99 } })
  refused(/^change_volume\.new_volume_size must be between 5 and 50/, { volume: { type: 'tuned', sizeGib: 51 } })
  const large = shapeOf(typed('fast', 60, null))
  refused(/^change_volume\.new_volume_size must be between 5 and 50/, { volume: { type: 'tuned' } }, large)
})

test('a budget that a new type does not reach comes down to it', () => {
  const autoscale = { enabled: true, thresholdPercent: 75, stepPercent: 20, maxGib: 100 }
  const { spec } = changed(shapeOf({ autoscale }), { kind: 'change-volume-type', ...typed('tuned', 10, null), sizeGibMax: 50 })
  assert.is(spec.autoscale?.maxGib, 50)
})

test('how they grow by themselves is set in parts, each within its bounds', () => {
  const { spec } = shapeOf()
  const standard = { enabled: true, thresholdPercent: 75, stepPercent: 20, maxGib: 100 }
  assert.equal(planAutoscale(catalogue, spec, {}), standard)
  const autoscale = { ...standard, maxGib: 40 }
  assert.equal(planAutoscale(catalogue, { ...spec, autoscale }, { enabled: false }), { ...autoscale, enabled: false })
  for (const [wanted, field] of [
    [{ thresholdPercent: 49 }, 'threshold_percent'], [{ thresholdPercent: 96 }, 'threshold_percent'],
    [{ stepPercent: 4 }, 'step_percent'], [{ stepPercent: 101 }, 'step_percent'], [{ maxGib: 101 }, 'max_gib'],
  ] as const) {
    const answer = planAutoscale(catalogue, spec, wanted)
    assert.ok('rejected' in answer && answer.because.startsWith(field), field)
  }
})

test('the guard holds back and lets go, each once', () => {
  const because = 'the volume of db-1 is 91 % full'
  const guarded = changed(shapeOf(), { kind: 'set-read-only', readOnly: true, because })
  assert.is(guarded.spec.readOnly, true)
  assert.is(refusalOf(guarded, { kind: 'set-read-only', readOnly: true, because })?.rejected, 'read-only-already')
  assert.is(refusalOf(shapeOf(), { kind: 'set-read-only', readOnly: false, because })?.rejected, 'read-only-already')
})

test.run()
