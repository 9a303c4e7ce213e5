import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { adminVpcs, vpcEndpoints } from '../../command-handlers/vpcs.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { startRest } from '../support/rest.ts'

const test = suite('private networks of a tenant')

const rest = await startRest([...vpcEndpoints(readCatalogue()), adminVpcs()], { isBasic: () => true })
test.after(() => rest.close())

const PATH = '/api/vpc/api/v2/vpcs'
const wanted = { name: 'mine', cloudspace: '', cloud: 'local', region: 'local-1', cidr_ipv4_block: '10.10.0.0/16' }
const Problem = z.object({ error: z.string(), type: z.string() })

test('are offered by no cloud, and the one who asks is told so', async () => {
  for (const [body, words] of [
    [wanted, /local offers no private networks/],
    [{ ...wanted, cloud: 'aws' }, /cloud must be one of: local/],
    [{ ...wanted, cidr_ipv4_block: '10.10.0.0/99' }, /cidr_ipv4_block/],
  ] as const) {
    const answer = await rest.ask('POST', PATH, { as: 'alice', body })
    assert.is(answer.status, 400)
    assert.match(Problem.parse(answer.body).error, words)
  }
})

test('so there is none to read, to delete or to count', async () => {
  const path = `${PATH}/4f1c2a9e-0000-4000-8000-00000000abcd`
  for (const method of ['GET', 'DELETE']) assert.is((await rest.ask(method, path, { as: 'alice' })).status, 404)
  const { status, body } = await rest.ask('GET', '/api/admin/vpcs/local-1/all')
  assert.equal([status, z.object({ ccx_num_vpcs: z.int() }).parse(body).ccx_num_vpcs], [200, 0])
})

test.run()
