import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import fc from 'fast-check'
import type { Catalogue, Cloud, Vendor } from '../../domain/catalogue/catalogue.ts'
import { type DatastoreRequest, type Plan, type PlanContext, plan } from '../../domain/datastore/plan.ts'

const test = suite('every plan')

// Few letters, so that what is asked for is often, but not always, what is offered.
const code = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const codes = (minLength: number) => fc.uniqueArray(code, { minLength, maxLength: 4 })
const range = fc
  .tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 20 }))
  .map(([min, up, more]) => ({ min, default: min + up, max: min + up + more }))

/** Mostly so. */
const mostly = <T>(usual: fc.Arbitrary<T>, rare: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: rare })
const enabled = mostly(fc.constant(true), fc.constant(false))
const someCodes = mostly(codes(1), fc.constant([]))
const size = fc.integer({ min: 1, max: 7 })

const vendors: fc.Arbitrary<Vendor> = fc
  .record({ code, versions: codes(1), types: codes(1), enabled, sizes: fc.uniqueArray(size, { minLength: 1 }) })
  .map((parts) => ({
    ...parts,
    aliases: [`${parts.code}${parts.code}`],
    name: parts.code,
    info: '',
    engine: `engine-${parts.code}`,
    beta: false,
    types: parts.types.map((type) => ({ code: type, name: type })),
    port: 5000,
    account: { username: 'ccxadmin', database: 'ccxdb' },
  }))

const volumes = fc
  .record({ code, sizeGib: range, iops: fc.option(range, { nil: null }) })
  .map((volume) => ({ ...volume, name: '', info: '', pricePerGibMonth: 0 }))

const clouds: fc.Arbitrary<Cloud> = fc
  .record({
    code,
    regions: fc.uniqueArray(fc.record({ code, zones: someCodes }), {
      selector: (region) => region.code,
      minLength: 1,
      maxLength: 3,
    }),
    instances: someCodes,
    volumes: fc.uniqueArray(volumes, { selector: (volume) => volume.code, minLength: 1, maxLength: 3 }),
    offersPublic: enabled,
  })
  .map(({ offersPublic, ...cloud }) => ({
    ...cloud,
    name: '', fullName: '', group: '',
    provider: `provider-${cloud.code}`,
    regions: cloud.regions.map((region) => ({
      code: region.code,
      displayCode: '', name: '', countryCode: '', continentCode: '', city: '',
      zones: region.zones.map((zone) => ({ code: zone, name: zone })),
    })),
    instances: cloud.instances.map((size) => ({ code: size, type: `m.${size}`, name: '', cpu: 1, ramGb: 1, pricePerHour: 0 })),
    networks: [{ code: 'public', name: '', info: '', enabled: offersPublic }],
  }))

const catalogues: fc.Arbitrary<Catalogue> = fc.record({
  vendors: fc.uniqueArray(vendors, { selector: (vendor) => vendor.code, minLength: 1, maxLength: 3 }),
  clouds: fc.uniqueArray(clouds, { selector: (cloud) => cloud.code, minLength: 1, maxLength: 3 }),
  limits: fc.record({
    nodesMax: fc.integer({ min: 3, max: 7 }),
    nameLengthMax: fc.constant(8),
    tagsMax: fc.constant(2),
    tagLengthMax: fc.constant(4),
  }),
})

const may = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const requests: fc.Arbitrary<DatastoreRequest> = fc.record({
  name: fc.string({ maxLength: 9, unit: 'binary' }),
  size: fc.integer({ min: 0, max: 7 }),
  vendor: code,
  version: may(code),
  type: may(code),
  tags: fc.array(fc.string({ maxLength: 5 }), { maxLength: 3 }),
  cloud: code,
  region: code,
  instanceSize: code,
  volumeType: may(code),
  volumeSizeGib: may(fc.double({ min: -5, max: 60 })),
  volumeIops: may(fc.double({ min: -5, max: 60 })),
  networkType: fc.constantFrom('public', 'private'),
  haEnabled: fc.boolean(),
  vpcId: fc.constant(undefined),
  zones: fc.oneof(fc.constant([]), fc.array(code, { maxLength: 4 })),
  notifications: fc.constant({ enabled: false, emails: [] }),
})

/** Requests that are mostly within the catalogue they come with. */
const fitting: fc.Arbitrary<readonly [Catalogue, DatastoreRequest]> = catalogues.chain((catalogue) =>
  fc
    .tuple(requests, fc.constantFrom(...catalogue.vendors), fc.constantFrom(...catalogue.clouds), fc.nat(9))
    .map(([request, vendor, cloud, pick]): readonly [Catalogue, DatastoreRequest] => [
      catalogue,
      {
        ...request,
        name: `n${pick}`,
        tags: [],
        vendor: pick === 0 ? request.vendor : vendor.code,
        size: vendor.sizes[pick % vendor.sizes.length] ?? request.size,
        version: pick % 3 === 0 ? request.version : vendor.versions[0],
        type: pick % 2 === 0 ? undefined : request.type,
        cloud: cloud.code,
        region: cloud.regions[pick % cloud.regions.length]?.code ?? request.region,
        instanceSize: cloud.instances[0]?.code ?? request.instanceSize,
        volumeType: pick % 4 === 0 ? request.volumeType : undefined,
        volumeSizeGib: pick % 5 === 0 ? request.volumeSizeGib : undefined,
        volumeIops: pick % 5 === 1 ? request.volumeIops : undefined,
        networkType: 'public',
        zones: pick % 4 === 1 ? request.zones : [],
      },
    ]),
)

const context: PlanContext = {
  ownerId: 'own_1', networkId: 'net_1', domain: 'ccx.test', ttlSeconds: 5,
  nodes: [1, 2, 3, 4, 5, 6, 7].map((n) => ({ nodeId: `nod_${n}`, name: `db-${n}` })),
}

const isOffered = (catalogue: Catalogue, request: DatastoreRequest, spec: Plan): void => {
  const vendor = catalogue.vendors.find((one) => one.code === spec.vendor && one.enabled)
  const cloud = catalogue.clouds.find((one) => one.code === spec.cloud)
  const region = cloud?.regions.find((one) => one.code === spec.region)
  const volume = cloud?.volumes.find((one) => one.code === spec.volume.type)
  assert.ok(vendor !== undefined && cloud !== undefined && region !== undefined && volume !== undefined)
  assert.is(spec.engine, vendor.engine)
  assert.is(spec.provider, cloud.provider)
  assert.ok(vendor.versions.includes(spec.version))
  assert.ok(vendor.types.some((type) => type.code === spec.type))
  assert.ok(vendor.sizes.includes(spec.nodes.length) && spec.nodes.length <= catalogue.limits.nodesMax)
  assert.is(spec.nodes.length, request.size)
  assert.ok(cloud.instances.some((size) => size.code === spec.instance.code))
  assert.ok(spec.volume.sizeGib >= volume.sizeGib.min && spec.volume.sizeGib <= volume.sizeGib.max)
  if (spec.volume.iops !== null) {
    assert.ok(volume.iops !== null)
    assert.ok(spec.volume.iops >= volume.iops.min && spec.volume.iops <= volume.iops.max)
  }
  assert.ok(cloud.networks.some((network) => network.code === spec.network.type && network.enabled))
  const zones = region.zones.map((zone) => zone.code)
  for (const node of spec.nodes) assert.ok(zones.includes(node.zone))
  assert.is(new Set(spec.nodes.map((node) => node.nodeId)).size, spec.nodes.length)
}

const evenlySpread = ({ nodes }: Plan, zones: number): void => {
  const counts = Object.values(Object.groupBy(nodes, ({ zone }) => zone)).map((group) => group?.length ?? 0)
  assert.is(counts.length, Math.min(zones, nodes.length))
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 1)
}

const holds = (catalogue: Catalogue, request: DatastoreRequest): 'planned' | 'refused' => {
  const spec = plan(catalogue, request, context)
  if ('rejected' in spec) {
    assert.match(spec.because, /^(general|cloud|instance|network)\.[a-z_]+/)
    return 'refused'
  }
  isOffered(catalogue, request, spec)
  const cloud = catalogue.clouds.find((one) => one.code === spec.cloud)
  const region = cloud?.regions.find((one) => one.code === spec.region)
  if (request.zones.length === 0) evenlySpread(spec, region?.zones.length ?? 0)
  else assert.equal(spec.nodes.map(({ zone }) => zone), request.zones)
  assert.equal(JSON.parse(JSON.stringify(spec)), spec)
  return 'planned'
}

const options = { numRuns: 2_000, includeErrorInReport: true }

test('whatever is asked is refused by the name of a field, or planned with nothing but what is offered, spread evenly', () => {
  const seen = { planned: 0, refused: 0 }
  fc.assert(
    fc.property(fitting, ([catalogue, request]) => {
      seen[holds(catalogue, request)]++
    }),
    options,
  )
  // The property would hold emptily if everything were refused.
  assert.ok(seen.planned > 200 && seen.refused > 200, JSON.stringify(seen))
})

test('so it is with requests that have nothing to do with the catalogue', () =>
  fc.assert(fc.property(catalogues, requests, (catalogue, request) => void holds(catalogue, request)), options))

test.run()
