import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import type { Catalogue } from '../../domain/catalogue/catalogue.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { deployWizardReply } from '../../read-api/deploy-wizard-reply.ts'
import { deployWizard } from '../../read-api/deploy-wizard.ts'
import { principals, startRest } from '../support/rest.ts'

const test = suite('what can be deployed, as clients read it')

const PATH = '/api/content/api/v1/deploy-wizard'
const catalogue = readCatalogue()

const wizard = async (of: Catalogue) => {
  const { handle } = deployWizard(of)
  const { body } = await handle({
    params: {},
    query: {},
    body: undefined,
    principal: principals.alice,
    requestId: 'request',
    idempotencyKey: undefined,
    address: '127.0.0.1',
    header: () => undefined,
    signal: new AbortController().signal,
  })
  return deployWizardReply.parse(body)
}

test('it is read over REST, and is the same each time', async () => {
  const rest = await startRest([deployWizard(catalogue)])
  const first = await rest.ask('GET', PATH, { as: 'alice' })
  assert.is(first.status, 200)
  assert.equal((await rest.ask('GET', PATH, { as: 'alice' })).body, first.body)
  assert.is((await rest.ask('GET', PATH)).status, 401)
  await rest.close()
})

test('a vendor lists its versions oldest first, and the last one is its default', async () => {
  const [vendor] = catalogue.vendors
  assert.ok(vendor)
  const { database } = await wizard({
    ...catalogue,
    vendors: [{ ...vendor, versions: ['15', '16', '17'], sizes: [1, 3, 7] }],
    limits: { ...catalogue.limits, nodesMax: 5 },
  })
  const [found] = database.vendors
  assert.equal([found?.code, found?.version, found?.num_nodes], [vendor.code, '17', [1, 3]])
  assert.equal(found?.versions, ['15', '16', '17'])
  assert.equal(found?.types, vendor.types.map(({ code, name }) => ({ code, name, size_hints: {} })))
})

test('every cloud has its sizes, volumes, networks and zones under its own code', async () => {
  const { cloud, instance, network } = await wizard(catalogue)
  for (const { code, regions } of cloud.cloud_providers) {
    assert.ok(instance.instance_sizes[code]?.every((size) => size.code !== '' && size.cpu > 0 && size.ram > 0), code)
    const types = instance.volume_types[code]?.map((type) => type.code) ?? []
    assert.equal(Object.keys(instance.volume_sizes[code] ?? {}), types)
    assert.ok(network.network[code]?.some(({ enabled }) => enabled))
    for (const region of regions) {
      assert.ok((network.availability_zones[code]?.[region.code] ?? []).length > 0, `${code} ${region.code}`)
    }
  }
  assert.is(cloud.cloud_providers.length, catalogue.clouds.length)
})

test('the speed of a volume has bounds where it can be chosen, and only there', async () => {
  const [cloud] = catalogue.clouds
  const [volume] = cloud?.volumes ?? []
  assert.ok(cloud && volume)
  const iops = { min: 100, max: 500, default: 200 }
  const volumes = [volume, { ...volume, code: 'quick', iops }]
  const { instance } = await wizard({ ...catalogue, clouds: [{ ...cloud, volumes }] })
  assert.equal(instance.volume_iops[cloud.code], { quick: iops })
  assert.equal(instance.volume_types[cloud.code]?.map(({ has_iops }) => has_iops), [false, true])
})

test('a datastore of one node has nothing to fail over to', async () => {
  const { network } = await wizard(catalogue)
  const [found] = Object.values(network.network).flat()
  assert.is(found?.ha_available['1'], false)
  assert.ok(z.record(z.string(), z.boolean()).parse(found?.ha_available)['3'])
})

test.run()
