import { randomBytes } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ClusterRef, NodeRef } from '../../domain/job/orders.ts'
import { issue, stillServes } from '../../infra/certificates/authority.ts'
import { credentials } from '../../infra/controller/credentials.ts'
import { connect } from '../../infra/read-store/connect.ts'
import { migrateToLatest } from '../../infra/read-store/migrate.ts'
import { VAULT, vaultMigrations, type VaultSchema } from '../../infra/secrets/migrations.ts'
import { sealedSecrets } from '../../infra/secrets/sealed.ts'
import { startPostgres } from '../support/postgres.ts'

const test = suite("a datastore's credentials")
const postgres = await startPostgres()
const vault = connect<VaultSchema>(postgres.url)
await migrateToLatest(vault.db, { schema: VAULT, migrations: vaultMigrations })
const secrets = sealedSecrets({ pool: vault.pool, masterKey: randomBytes(32) })
const kept = credentials(secrets)

const node: NodeRef = {
  nodeId: 'nod_1',
  name: 'db-a',
  hostname: 'db-a.dat_1.ccx.test',
  provider: 'somewhere',
  address: '10.0.0.1',
  port: 5432,
  instance: { code: 'tiny', cpu: 1, ramGb: 1 },
}
const cluster: ClusterRef = {
  datastoreId: 'dat_1',
  ownerId: 'own_1',
  engine: 'some-engine',
  version: '1',
  nodes: [node],
}

test.after(async () => {
  await vault.close()
  await postgres.stop()
})

test('racing controllers end up with one authority and one certificate that fit each other', async () => {
  const racing = [0, 1, 2, 3].map(() => credentials(secrets).nodeCertificate(cluster, node))
  const [first, ...others] = await Promise.all(racing)
  for (const other of others) assert.equal(other, first)
  const authorities = await Promise.all([0, 1].map(() => credentials(secrets).authority(cluster)))
  assert.equal(authorities[0], authorities[1])
  assert.is(first?.authorityPem, authorities[0]?.certificatePem)
})

test("a node's certificate names the node, the datastore, its replicas and the address", async () => {
  const { certificatePem, keyPem, authorityPem } = await kept.nodeCertificate(cluster, node)
  const dnsNames = ['db-a.dat_1.ccx.test', 'dat_1.ccx.test', 'replica.dat_1.ccx.test']
  const wanted = { commonName: '', dnsNames, addresses: ['10.0.0.1'], keyPem, authorityPem, daysLeft: 800 }
  assert.ok(stillServes(certificatePem, wanted))
})

test('a certificate is kept until it nears its end or the address is another', async () => {
  const first = await kept.nodeCertificate(cluster, node)
  assert.equal(await kept.nodeCertificate(cluster, node), first)
  const moved = await kept.nodeCertificate(cluster, { ...node, address: '10.0.0.2' })
  assert.not.equal(moved.certificatePem, first.certificatePem)
  assert.is(moved.keyPem, first.keyPem)

  const authority = await kept.authority(cluster)
  const request = { commonName: 'x', dnsNames: ['*.ccx.test'], addresses: ['10.0.0.2'], keyPem: moved.keyPem, days: 30 }
  const ending = (await issue(authority, request)).certificatePem
  await secrets.seal({ ownerId: 'own_1', subjectId: 'dat_1', name: 'node-certificate/nod_1' }, ending)
  const renewed = await kept.nodeCertificate(cluster, { ...node, address: '10.0.0.2' })
  assert.not.equal(renewed.certificatePem, ending)
  assert.equal(await kept.nodeCertificate(cluster, { ...node, address: '10.0.0.2' }), renewed)
})

test('destroyed credentials are made anew, and are others', async () => {
  const before = await kept.adminPassword(cluster, null)
  assert.is(await kept.adminPassword(cluster, null), before)
  await kept.destroy('dat_1')
  assert.not.equal(await kept.adminPassword(cluster, null), before)
})

test.run()
