import { createHash, createPublicKey, verify } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { commandEndpoints } from '../../command-handlers/datastores.ts'
import { signedText } from '../../domain/audit/checkpoint.ts'
import { isSealed } from '../../domain/kernel/sealed.ts'
import { sha256 } from '../../infra/audit/sha256.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { auditApi, auditDb } from '../../read-api/audit/index.ts'
import { sagas } from '../../sagas/index.ts'
import { startAudit } from '../support/audit.ts'
import { carryOut } from '../support/carry-out.ts'
import { noon } from '../support/examples.ts'
import { openPersonalData } from '../support/personal-data.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore } from '../support/read-store.ts'
import { principals, startRest } from '../support/rest.ts'

const test = suite('the audit trail over REST')

const server = await startPostgres(['fsync=off'])
const readStore = await emptyReadStore(server.url, 'audit_api')
const store = memoryEventStore()
const audit = await startAudit(store, readStore)
const ports = { store, now: () => noon, traceparent: () => undefined, personal: openPersonalData }
const rest = await startRest([
  ...commandEndpoints({ ...ports, catalogue: readCatalogue(), sagas, domain: 'ccx.test', ttlSeconds: 15 }),
  ...auditApi({ db: auditDb(readStore.db), personal: openPersonalData, sha256, waitFor: audit.waitFor }),
])
test.after(async () => {
  await rest.close()
  await audit.stop()
  await readStore.close()
  await server.stop()
})

const Entry = z.looseObject({
  n: z.int(),
  type: z.string(),
  object_id: z.string(),
  datastore_id: z.string().nullable(),
  actor: z.looseObject({ kind: z.string(), id: z.string(), address: z.string().nullable() }),
  request_id: z.string().nullable(),
  correlation_id: z.string(),
  entry: z.looseObject({ metadata: z.looseObject({ actor: z.looseObject({ address: z.string().optional() }) }) }),
  leaf_hash: z.string(),
  opened: z.record(z.string(), z.string()),
})
const List = z.object({ organisation: z.string(), entries: z.array(Entry), cursor: z.string().nullable() })

const list = async (query = '', as = 'alice', path = '/api/v1/audit'): Promise<z.infer<typeof List>> => {
  const { status, body, text } = await rest.ask('GET', `${path}?${query}`, { as })
  assert.is(status, 200, text)
  return List.parse(body)
}
const statusOf = async (path: string, as = 'alice') => (await rest.ask('GET', path, { as })).status

const deploy = async (cluster_name: string, as = 'alice'): Promise<string> => {
  const body = {
    general: { cluster_name, cluster_size: 1, db_vendor: 'postgres' },
    cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
    instance: { instance_size: 'small' },
    network: { network_type: 'public' },
  }
  const headers = { 'X-Request-Id': `deploy-${cluster_name}` }
  const { status, body: reply, text } = await rest.ask('POST', '/api/prov/api/v2/cluster', { as, body, headers })
  assert.is(status, 201, text)
  const { uuid } = z.object({ uuid: z.string() }).parse(reply)
  const { events } = await store.read(`datastore-${uuid}`)
  const { jobId } = z.object({ jobId: z.string() }).parse(events.find(({ type }) => type === 'JobAdmitted')?.data)
  await carryOut(store, { datastoreId: uuid, jobId }, { now: noon })
  return uuid
}

const first = await deploy('one')
const second = await deploy('two')
const bobs = await deploy('his', 'bob')
await audit.settled()

test('shows an organisation all of its own and nothing else, by cursor in either direction', async () => {
  const all = (await list('limit=500&order=oldest')).entries
  assert.equal(all.map(({ n }) => n), all.map((_, n) => n))
  assert.is(all.some(({ datastore_id }) => datastore_id === bobs), false)
  for (const order of ['oldest', 'newest']) {
    const found: number[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await list(`limit=7&order=${order}${cursor === '' ? '' : `&cursor=${cursor}`}`)
      found.push(...page.entries.map(({ n }) => n))
      cursor = page.cursor
    }
    assert.equal(found, order === 'oldest' ? all.map(({ n }) => n) : all.map(({ n }) => n).toReversed())
  }
})

test('is filtered by actor, type, object, time, request and correlation', async () => {
  const all = (await list('limit=500&order=oldest')).entries
  const by = async (query: string) => (await list(`${query}&limit=500&order=oldest`)).entries.map(({ n }) => n)
  const those = (keep: (entry: z.infer<typeof Entry>) => boolean) => all.filter(keep).map(({ n }) => n)
  const created = all.find(({ type }) => type === 'DatastoreCreated')
  assert.equal(await by('type=DatastoreDeployed'), those(({ type }) => type === 'DatastoreDeployed'))
  assert.equal(await by(`actor=${principals.alice.userId}`), those(({ actor }) => actor.id === principals.alice.userId))
  assert.equal(await by(`object=${second}`), those(({ object_id }) => object_id === second))
  assert.equal(await by('request_id=deploy-two'), those(({ request_id }) => request_id === 'deploy-two'))
  const correlated = those(({ correlation_id }) => correlation_id === created?.correlation_id)
  assert.equal(await by(`correlation_id=${created?.correlation_id}`), correlated)
  assert.ok(correlated.length > 1)
  assert.equal(await by('from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00%2B02:00'), those(() => true))
  assert.equal([await by('from=2100-01-01T00:00:00Z'), await by('to=2000-01-01T00:00:00Z')], [[], []])
  for (const wrong of ['from=noon', 'cursor=x', 'limit=0', 'order=up', 'datastore=x', 'type=']) {
    assert.is(await statusOf(`/api/v1/audit?${wrong}`), 400, wrong)
  }
})

test('of a datastore has its jobs too, and is found by cursor', async () => {
  const path = `/api/v1/datastores/${first}/audit`
  const { entries } = await list('limit=500&order=oldest', 'alice', path)
  assert.ok(['DatastoreCreated', 'StepSucceeded', 'JobEnded'].every((type) => entries.some((entry) => entry.type === type)))
  const half = await list(`limit=${Math.ceil(entries.length / 2)}&order=oldest`, 'alice', path)
  const rest = await list(`limit=500&order=oldest&cursor=${half.cursor}`, 'alice', path)
  assert.equal([...half.entries, ...rest.entries].map(({ n }) => n), entries.map(({ n }) => n))
  assert.equal((await list('type=JobEnded', 'alice', path)).entries.map(({ type }) => type), ['JobEnded'])
})

test('gives no hint of another organisation, and opens any to an operator who names it', async () => {
  const there = await rest.ask('GET', `/api/v1/audit?organisation=${principals.bob.userId}`, { as: 'alice' })
  const absent = await rest.ask('GET', '/api/v1/audit?organisation=nobody', { as: 'alice' })
  assert.equal([there.status, there.body], [403, absent.body])
  for (const uuid of [bobs, '0e000000-0000-4000-8000-00000000000e']) {
    assert.is(await statusOf(`/api/v1/datastores/${uuid}/audit`), 404)
  }
  assert.equal((await list('', 'olga')).entries, [])
  const { organisation, entries } = await list(`organisation=${principals.bob.userId}`, 'olga')
  assert.is(organisation, principals.bob.userId)
  assert.ok(entries.some(({ datastore_id }) => datastore_id === bobs))
  assert.is(await statusOf('/api/v1/audit', ''), 401)
})

test('shows sealed texts opened beside the entry, and the entry as it was hashed', async () => {
  const { entries } = await list('type=DatastoreCreated&order=oldest')
  const [entry] = entries
  assert.is(entry?.opened['/data/spec/name'], 'one')
  assert.match(entry?.actor.address ?? '', /127\.0\.0\.1|::/)
  assert.ok(isSealed(entry?.entry.metadata.actor.address ?? ''))
})

const Checkpoint = z.object({
  organisation: z.string(), size: z.int(), root_hash: z.string(), chain_hash: z.string(), position: z.string(),
  at: z.string(), key_id: z.string(), signature: z.string(),
})
const Hashes = z.array(z.string())

// Written a second time, from RFC 9162 alone, so that one mistake is not made on both sides.
const H = (...parts: readonly Buffer[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()
const node = (left: Buffer, right: Buffer): Buffer => H(Buffer.of(1), left, right)
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')
const treeHash = (leaves: readonly Buffer[]): Buffer => {
  if (leaves.length === 1) return leaves[0] ?? H()
  const split = 2 ** (Math.ceil(Math.log2(leaves.length)) - 1)
  return node(treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)))
}
const rootFrom = (leaf: Buffer, n: number, size: number, proof: readonly Buffer[]): Buffer => {
  if (size === 1) return leaf
  const split = 2 ** (Math.ceil(Math.log2(size)) - 1)
  const [sibling = H(), below] = [proof.at(-1), proof.slice(0, -1)]
  return n < split
    ? node(rootFrom(leaf, n, split, below), sibling)
    : node(sibling, rootFrom(leaf, n - split, size - split, below))
}

test('has a checkpoint whose signature holds, and proofs of inclusion for every entry', async () => {
  const { body } = await rest.ask('GET', '/api/v1/audit/checkpoints?limit=1', { as: 'alice' })
  const { checkpoints: [head] } = z.object({ checkpoints: z.array(Checkpoint) }).parse(body)
  assert.ok(head !== undefined)
  if (head === undefined) return
  const keys = await rest.ask('GET', '/api/v1/audit/keys')
  const { keys: [key] } = z.object({ keys: z.array(z.object({ key_id: z.string(), public_key: z.string() })) }).parse(keys.body)
  assert.is(key?.key_id, head.key_id)
  const { organisation: organisationId, size, root_hash: rootHash, chain_hash: chainHash, position, at } = head
  const text = signedText({ organisationId, size, rootHash, chainHash, position, at })
  assert.ok(verify(null, Buffer.from(text), createPublicKey(key?.public_key ?? ''), Buffer.from(head.signature, 'base64')))
  const { entries } = await list('limit=500&order=oldest')
  assert.is(size, entries.length)
  for (const { n, leaf_hash } of entries) {
    const answer = await rest.ask('GET', `/api/v1/audit/proofs/inclusion?n=${n}`, { as: 'alice' })
    const { proof, size: of } = z.object({ proof: Hashes, size: z.int() }).parse(answer.body)
    assert.is(rootFrom(bytes(leaf_hash), n, of, proof.map(bytes)).toString('hex'), rootHash, `entry ${n}`)
  }
})

test('has proofs of consistency between any two of its sizes', async () => {
  const leaves = (await list('limit=500&order=oldest')).entries.map(({ leaf_hash }) => bytes(leaf_hash))
  const Reply = z.object({ from_root_hash: z.string(), to_root_hash: z.string(), proof: Hashes })
  const size = leaves.length
  const pairs = [[1, size], [2, 3], [3, 7], [4, 7], [6, 8], [7, size], [size - 1, size], [size, size]] as const
  for (const [from, to] of pairs) {
    const answer = await rest.ask('GET', `/api/v1/audit/proofs/consistency?from=${from}&to=${to}`, { as: 'alice' })
    const { from_root_hash, to_root_hash, proof } = Reply.parse(answer.body)
    assert.is(from_root_hash, treeHash(leaves.slice(0, from)).toString('hex'))
    assert.is(to_root_hash, treeHash(leaves.slice(0, to)).toString('hex'))
    assert.equal(rootsFrom(from, to, proof.map(bytes), bytes(from_root_hash)), [from_root_hash, to_root_hash], `${from} in ${to}`)
  }
  const beyond = [`inclusion?n=${size}`, `inclusion?n=0&size=${size + 1}`, `consistency?from=1&to=${size + 1}`]
  for (const path of [...beyond, 'consistency?from=3&to=2']) {
    assert.is(await statusOf(`/api/v1/audit/proofs/${path}`), 404, path)
  }
})

/** Both roots as a proof of consistency makes them (RFC 9162, section 2.1.4.2). */
const rootsFrom = (from: number, to: number, given: readonly Buffer[], root: Buffer): readonly [string, string] => {
  if (from === to) return [root.toString('hex'), root.toString('hex')]
  const [start = H(), ...proof] = Math.log2(from) % 1 === 0 ? [root, ...given] : given
  let [at, last, older, newer] = [from - 1, to - 1, start, start]
  while (at % 2 === 1) [at, last] = [at >> 1, last >> 1]
  for (const sibling of proof) {
    if (at % 2 === 1 || at === last) {
      ;[older, newer] = [node(sibling, older), node(sibling, newer)]
      while (at % 2 === 0 && at !== 0) [at, last] = [at >> 1, last >> 1]
    } else {
      newer = node(newer, sibling)
    }
    ;[at, last] = [at >> 1, last >> 1]
  }
  return [older.toString('hex'), newer.toString('hex')]
}

test.run()
