import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { admissionRefusal, type InstallationEvent, installation, type Scope } from '../../domain/installation/installation.ts'
import { noon } from '../support/examples.ts'
import { fold, given } from '../support/given.ts'

const test = suite('the installation')

const region: Scope = { kind: 'region', name: 'region-a' }
const stopped = (scope: Scope, deletions = true): InstallationEvent => ({
  type: 'AdmissionStopped', data: { scope, because: 'rebuilding', deletions, at: noon },
})
const stop = (scope: Scope, because = 'rebuilding') =>
  ({ type: 'StopAdmission', data: { scope, because, deletions: true, now: noon } }) as const
const open = (scope: Scope) => ({ type: 'OpenAdmission', data: { scope, now: noon } }) as const
const datastore = { ownerId: 'own_1', region: 'region-a', engine: 'engine-a', vendor: 'vendor-a' }

test('a stop is written once, and again when it has another reason', () => {
  given(installation).when(stop(region)).then(stopped(region))
  given(installation, stopped(region)).when(stop(region)).thenNothing()
  given(installation, stopped(region))
    .when(stop(region, 'burning'))
    .then({ type: 'AdmissionStopped', data: { scope: region, because: 'burning', deletions: true, at: noon } })
})

test('each stop is ended by itself', () => {
  const opened: InstallationEvent = { type: 'AdmissionOpened', data: { scope: region, at: noon } }
  given(installation).when(open(region)).thenNothing()
  given(installation, stopped(region)).when(open(region)).then(opened)
  assert.is(fold(installation, [stopped(region), stopped({ kind: 'all' }), opened]).stops.length, 1)
})

test('a stop concerns whom it names', () => {
  const names: readonly Scope[] = [
    { kind: 'all' }, { kind: 'organisation', name: 'own_1' }, region, { kind: 'engine', name: 'engine-a' },
    { kind: 'engine', name: 'vendor-a' },
  ]
  const refusal = (scope: Scope, deletions: boolean, isDeletion: boolean) =>
    admissionRefusal(fold(installation, [stopped(scope, deletions)]).stops, datastore, isDeletion)?.rejected
  for (const scope of names) {
    assert.is(refusal(scope, true, false), 'admission-stopped')
    assert.is(refusal(scope, true, true), undefined)
    assert.is(refusal(scope, false, true), 'admission-stopped')
  }
  for (const kind of ['organisation', 'region', 'engine'] as const) {
    assert.is(refusal({ kind, name: 'other' }, false, false), undefined)
  }
})

test.run()
