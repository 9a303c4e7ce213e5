import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Catalogue } from '../../domain/catalogue/catalogue.ts'
import { vendorNamed } from '../../domain/catalogue/catalogue.ts'
import { type DatastoreRequest, type Plan, type PlanContext, plan } from '../../domain/datastore/plan.ts'
import { deepFreeze } from '../support/given.ts'

const test = suite('a plan')

const region = (code: string, zones: readonly string[]): Catalogue['clouds'][number]['regions'][number] => ({
  code, displayCode: code, name: code, countryCode: 'SE', continentCode: 'EU', city: 'Here',
  zones: zones.map((zone) => ({ code: zone, name: zone })),
})
const vendor = {
  code: 'alpha', aliases: ['alphadb', 'al'], name: 'Alpha', info: '', engine: 'engine-a', enabled: true, beta: false,
  versions: ['15', '16'], types: [{ code: 'streaming', name: 'Streaming' }, { code: 'ring', name: 'Ring' }],
  sizes: [1, 2, 3, 5], port: 5432, account: { username: 'ccxadmin', database: 'ccxdb' },
}
const fast = {
  code: 'fast', name: 'Fast', info: '', sizeGib: { min: 10, max: 100, default: 20 },
  iops: { min: 100, max: 200, default: 150 }, pricePerGibMonth: 1,
}
const cloud = {
  code: 'here', name: 'Here', fullName: 'Right here', group: 'g', provider: 'provider-a',
  regions: [region('north', ['n1', 'n2']), region('bare', [])],
  instances: [{ code: 'tiny', type: 'm1.tiny', name: 'Tiny', cpu: 1, ramGb: 2, pricePerHour: 1 }],
  volumes: [{ ...fast, code: 'plain', iops: null }, fast],
  networks: [
    { code: 'public', name: 'Public', info: '', enabled: true },
    { code: 'private', name: 'Private', info: '', enabled: false },
  ] as const,
}
const catalogue: Catalogue = deepFreeze({
  vendors: [vendor, { ...vendor, code: 'beta', aliases: [], enabled: false }],
  clouds: [cloud, { ...cloud, code: 'there', volumes: [] }],
  limits: { nodesMax: 3, nameLengthMax: 8, tagsMax: 2, tagLengthMax: 4 },
})
const request: DatastoreRequest = deepFreeze({
  name: 'orders', size: 3, vendor: 'alpha', tags: [], cloud: 'here', region: 'north', instanceSize: 'tiny',
  networkType: 'public', haEnabled: true, zones: [], notifications: { enabled: false, emails: [] },
})
const context: PlanContext = deepFreeze({
  ownerId: 'own_1', networkId: 'net_1', domain: 'ccx.test', ttlSeconds: 5,
  nodes: [1, 2, 3].map((n) => ({ nodeId: `nod_${n}`, name: `db-${n}` })),
})

const planned = (asked: Partial<DatastoreRequest> = {}): Plan => {
  const spec = plan(catalogue, { ...request, ...asked }, context)
  if ('rejected' in spec) throw new Error(`refused: ${spec.because}`)
  return spec
}

test('what is left open is chosen from the catalogue', () => {
  const instance = { code: 'tiny', cpu: 1, ramGb: 2 }
  const node = (n: number, zone: string) => ({ nodeId: `nod_${n}`, name: `db-${n}`, zone, instance })
  assert.equal(planned(), {
    name: 'orders', tags: [], ownerId: 'own_1', vendor: 'alpha', engine: 'engine-a', version: '16', type: 'streaming',
    cloud: 'here', provider: 'provider-a', region: 'north', instance, volume: { type: 'plain', sizeGib: 20, iops: null },
    network: { networkId: 'net_1', type: 'public', haEnabled: true }, port: 5432, domain: 'ccx.test', ttlSeconds: 5,
    account: { username: 'ccxadmin', database: 'ccxdb' }, notifications: { enabled: false, emails: [] },
    maintenance: { dayOfWeek: 1, startHour: 0, endHour: 2 }, trusted: [],
    autoscale: { enabled: true, thresholdPercent: 75, stepPercent: 20, maxGib: 100 },
    nodes: [node(1, 'n1'), node(2, 'n2'), node(3, 'n1')],
  })
})

test('what is asked for is taken', () => {
  const spec = planned({
    name: '  mine ', size: 2, tags: ['a', 'b'], version: '15', type: 'Ring', volumeType: 'fast', volumeSizeGib: 100,
    volumeIops: 100, zones: ['n2', 'n2'], notifications: { enabled: true, emails: ['a@b.test'] }, haEnabled: false,
  })
  assert.is(`${spec.name} ${spec.version} ${spec.type}`, '  mine  15 ring')
  assert.equal(spec.tags, ['a', 'b'])
  assert.equal(spec.volume, { type: 'fast', sizeGib: 100, iops: 100 })
  assert.equal(spec.nodes.map(({ zone }) => zone), ['n2', 'n2'])
  assert.equal(spec.notifications, { enabled: true, emails: ['a@b.test'] })
  assert.is(spec.network.haEnabled, false)
})

test('a speed that was not asked for is left to the provider', () =>
  assert.equal(planned({ volumeType: 'fast' }).volume, { type: 'fast', sizeGib: 20, iops: null }))

test('a vendor is found by its code or an alias, whatever the case', () => {
  for (const name of ['alpha', 'ALPHA', 'alphadb', 'Al']) assert.is(vendorNamed(catalogue, name)?.code, 'alpha')
  assert.is(planned({ vendor: 'AlphaDB' }).vendor, 'alpha')
})

test('the latest version can be asked for by that word', () => assert.is(planned({ version: 'latest' }).version, '16'))

test('no type, or a name of the vendor in its place, means the first type', () => {
  for (const type of ['', 'alpha', 'Alpha', 'al']) assert.is(planned({ type }).type, 'streaming')
  assert.is(planned({ vendor: 'alphadb', type: 'alpha' }).type, 'streaming')
})

test('a cloud and a region are found whatever the case, an instance by its code or by the name the cloud gives it', () => {
  const spec = planned({ cloud: 'HERE', region: 'North', instanceSize: 'm1.tiny' })
  assert.is(`${spec.cloud} ${spec.region} ${spec.instance.code}`, 'here north tiny')
})

test('the bounds of a volume are part of what is offered', () => {
  for (const volumeSizeGib of [10, 100]) assert.is(planned({ volumeSizeGib }).volume.sizeGib, volumeSizeGib)
  for (const volumeIops of [100, 200]) assert.is(planned({ volumeType: 'fast', volumeIops }).volume.iops, volumeIops)
})

const refusals: readonly (readonly [Partial<DatastoreRequest>, string, string])[] = [
  [{ name: '   ' }, 'malformed-name', 'general.cluster_name'],
  [{ name: 'ninechars' }, 'malformed-name', 'general.cluster_name'],
  [{ name: 'a\u0000b' }, 'malformed-name', 'general.cluster_name'],
  [{ name: 'a\ud800b' }, 'malformed-name', 'general.cluster_name'],
  [{ tags: ['a', 'b', 'c'] }, 'malformed-tags', 'general.tags'],
  [{ tags: ['a', 'a'] }, 'malformed-tags', 'general.tags'],
  [{ tags: [' '] }, 'malformed-tags', 'general.tags'],
  [{ tags: ['abcde'] }, 'malformed-tags', 'general.tags'],
  [{ tags: ['a\n'] }, 'malformed-tags', 'general.tags'],
  [{ vendor: 'gamma' }, 'not-offered', 'general.db_vendor'],
  [{ vendor: 'beta' }, 'not-offered', 'general.db_vendor'],
  [{ version: '14' }, 'not-offered', 'general.db_version'],
  [{ version: '' }, 'not-offered', 'general.db_version'],
  [{ type: 'star' }, 'not-offered', 'general.cluster_type'],
  [{ type: 'beta' }, 'not-offered', 'general.cluster_type'],
  [{ size: 0 }, 'not-offered', 'general.cluster_size'],
  [{ size: 5 }, 'not-offered', 'general.cluster_size'],
  [{ size: 1.5 }, 'not-offered', 'general.cluster_size'],
  [{ cloud: 'nowhere' }, 'not-offered', 'cloud.cloud_provider'],
  [{ region: 'south' }, 'not-offered', 'cloud.cloud_region'],
  [{ region: 'bare' }, 'not-offered', 'cloud.cloud_region'],
  [{ instanceSize: 'huge' }, 'not-offered', 'instance.instance_size'],
  [{ vpcId: 'vpc_1' }, 'not-offered', 'network.vpc_uuid'],
  [{ networkType: 'private' }, 'not-offered', 'network.network_type'],
  [{ volumeType: 'slow' }, 'not-offered', 'instance.volume_type'],
  [{ cloud: 'there' }, 'not-offered', 'instance.volume_type'],
  [{ cloud: 'there', volumeType: 'fast' }, 'not-offered', 'instance.volume_type'],
  [{ volumeSizeGib: 9 }, 'out-of-range', 'instance.volume_size'],
  [{ volumeSizeGib: 101 }, 'out-of-range', 'instance.volume_size'],
  [{ volumeSizeGib: Number.NaN }, 'out-of-range', 'instance.volume_size'],
  [{ volumeIops: 150 }, 'not-offered', 'instance.volume_iops'],
  [{ volumeType: 'fast', volumeIops: 99 }, 'out-of-range', 'instance.volume_iops'],
  [{ volumeType: 'fast', volumeIops: 201 }, 'out-of-range', 'instance.volume_iops'],
  [{ zones: ['n1', 'n2', 'n3'] }, 'not-offered', 'network.availability_zones'],
  [{ zones: ['n1', 'n2'] }, 'not-offered', 'network.availability_zones'],
]

for (const [asked, code, field] of refusals) {
  test(`${JSON.stringify(asked)} is refused by the name of its field`, () => {
    const refusal = plan(catalogue, { ...request, ...asked }, context)
    assert.ok('rejected' in refusal, 'it was planned')
    assert.is(refusal.rejected, code)
    assert.ok(refusal.because.startsWith(field), refusal.because)
  })
}

test('a refusal lists what is offered, and nothing that is not', () => {
  const because = (asked: Partial<DatastoreRequest>): string => {
    const refusal = plan(catalogue, { ...request, ...asked }, context)
    return 'rejected' in refusal ? refusal.because : ''
  }
  assert.is(because({ vendor: 'beta' }), 'general.db_vendor must be one of: alpha')
  assert.is(because({ size: 5 }), 'general.cluster_size must be one of: 1, 2, 3')
  assert.is(because({ networkType: 'private' }), 'network.network_type must be one of: public')
})

test('to be given fewer node ids than nodes is a fault, not a smaller datastore', () =>
  assert.throws(() => plan(catalogue, request, { ...context, nodes: context.nodes.slice(1) }), /BUG/))

test.run()
