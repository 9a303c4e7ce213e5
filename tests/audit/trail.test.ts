import { randomBytes } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { ERASED, type PersonalData } from '../../domain/kernel/sealed.ts'
import { verifyLines } from '../../infra/audit/read-export.ts'
import { sha256 } from '../../infra/audit/sha256.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { migrateToLatest } from '../../infra/read-store/migrate.ts'
import { VAULT, vaultMigrations } from '../../infra/secrets/migrations.ts'
import { personalData } from '../../infra/secrets/personal-data.ts'
import { sealedSecrets } from '../../infra/secrets/sealed.ts'
import { exportOf } from '../../read-api/audit/export.ts'
import { auditDb } from '../../read-api/audit/index.ts'
import { keysOf } from '../../read-api/audit/rows.ts'
import { newSigningKey, startAudit } from '../support/audit.ts'
import { newEvent, newEvents } from '../support/events.ts'
import { noon } from '../support/examples.ts'
import { randomHistory, writer } from '../support/history.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore } from '../support/read-store.ts'

const test = suite('the audit trail')

const server = await startPostgres(['fsync=off'])
test.after(() => server.stop())

const TABLES = ['entries', 'nodes', 'chains', 'checkpoints', 'keys']
const ALICE = '0a000000-0000-4000-8000-000000000001'

type Stand = Awaited<ReturnType<typeof emptyReadStore>>

const textOf = async (chunks: AsyncIterable<string>): Promise<string> => {
  let text = ''
  for await (const chunk of chunks) text += chunk
  return text
}
const exported = async ({ db }: Stand, open: PersonalData['open'], format: 'json' | 'csv'): Promise<string> => {
  const queries = { db: auditDb(db), personal: { open }, sha256, waitFor: async () => true }
  const principal = { isAdmin: false, ownerId: ALICE }
  const whole = { ...queries, organisation: ALICE, filter: {}, principal, signal: { aborted: false } }
  return textOf((await exportOf(whole, format)).chunks)
}
const asIs = async (texts: readonly string[]) => texts

test('is the same to the byte when it is made again from the log', async () => {
  const store = memoryEventStore()
  const [one, other] = [await emptyReadStore(server.url, 'audit_one'), await emptyReadStore(server.url, 'audit_other')]
  const write = writer(store)
  const history = randomHistory(7, { datastores: 20, moves: 2_000 })
  const live = await startAudit(store, one, { batchMax: 7 })
  for (let n = 0; n < history.length; n += 100) {
    await write(history.slice(n, n + 100))
    await live.settled()
  }
  const again = await startAudit(store, other)
  await again.settled()
  for (const table of TABLES) {
    const rows = async ({ pool }: Stand) => (await pool.query(`select t::text as row from audit.${table} t order by 1`)).rows
    const [before, after] = [await rows(one), await rows(other)]
    assert.ok(before.length > 0, table)
    assert.equal(after, before, table)
  }
  assert.equal([live.complaints(), again.complaints()], [[], []])
  await live.stop()
  await again.stop()
  await one.close()
  await other.close()
})

test('hashes an event as it was written, whatever is made of old shapes later', async () => {
  const store = memoryEventStore()
  const readStore = await emptyReadStore(server.url, 'audit_shapes')
  const data = { datastoreId: 'a', order: { body: { cluster: { name: 'shop' } } } }
  await store.append('job-1', [newEvent('StepOrdered.v1', data)], { expected: 'absent' })
  const audit = await startAudit(store, readStore)
  await audit.settled()
  const { rows: [row] } = await readStore.pool.query('select type, datastore_id, event from audit.entries')
  const { type, datastore_id, event } = z.object({ type: z.string(), datastore_id: z.string(), event: z.string() }).parse(row)
  const { type: written, data: held } = z.looseObject({ type: z.string(), data: z.unknown() }).parse(JSON.parse(event))
  assert.equal([type, datastore_id, written, held], ['StepOrdered', 'a', 'StepOrdered.v1', data])
  await audit.stop()
  await readStore.close()
})

test('tells when the log is not what its checkpoints say it was', async () => {
  const [genuine, forged] = [memoryEventStore(() => noon), memoryEventStore(() => noon)]
  const databases = ['audit_genuine', 'audit_forged'] as const
  const stands = [await emptyReadStore(server.url, databases[0]), await emptyReadStore(server.url, databases[1])] as const
  const key = newSigningKey()
  const events = newEvents(3)
  await genuine.append('datastore-a', events, { expected: 'absent' })
  const first = await startAudit(genuine, stands[0], { key })
  await first.settled()
  await first.stop()
  for (const { stream, revision, ...event } of await genuine.readAll({ after: 'start', prefixes: [''], limit: 100 })) {
    const data = event.id === events[1]?.id ? { number: 7 } : event.data
    await forged.append(stream, [{ ...event, data }], { expected: revision === 0n ? 'absent' : revision - 1n })
  }
  const second = await startAudit(forged, stands[1], { key })
  await second.settled()
  assert.equal(second.complaints(), ['the log is not what a signed checkpoint says it was'])
  await second.stop()
  for (const { close } of stands) await close()
})

test('goes on under another key when the key is replaced, and lists the old one too', async () => {
  const store = memoryEventStore()
  const readStore = await emptyReadStore(server.url, 'audit_keys')
  const metadata = { ...newEvent().metadata, organisationId: ALICE }
  const keys = [newSigningKey(), newSigningKey()]
  for (const [n, key] of keys.entries()) {
    const expected = n === 0 ? 'absent' : BigInt(n - 1)
    await store.append('datastore-a', [{ ...newEvent(), metadata }], { expected })
    const audit = await startAudit(store, readStore, { key })
    await audit.settled()
    await audit.stop()
  }
  const lines = (await exported(readStore, asIs, 'json')).trimEnd().split('\n')
  const listed = (await keysOf(auditDb(readStore.db))).map(({ public_key }) => public_key)
  assert.equal(listed.map((pem) => pem.trim()).toSorted(), keys.map(({ publicKey }) => publicKey.trim()).toSorted())
  assert.is((await verifyLines(lines, { publicKeys: listed })).sound, true)
  const alone = await verifyLines(lines, { publicKeys: [keys[0]?.publicKey ?? ''] })
  assert.ok(!alone.sound && alone.from === 1 && /another key/.test(alone.because))
  await readStore.close()
})

test('of an erased organisation still verifies, and tells nothing of it any more', async () => {
  const store = memoryEventStore()
  const readStore = await emptyReadStore(server.url, 'audit_erased')
  await migrateToLatest(readStore.db, { schema: VAULT, migrations: vaultMigrations })
  const masterKey = randomBytes(32)
  let clockMs = 0
  const personal = personalData({ pool: readStore.pool, masterKey, clockMs: () => clockMs })
  const canary = '=cmd|canary'
  const [name, address] = [await personal.seal(ALICE, canary), await personal.seal(ALICE, '192.0.2.77')]
  const actor = { kind: 'user', id: ALICE, address } as const
  const event = newEvent('DatastoreCreated', { datastoreId: 'a', spec: { name, ownerId: ALICE } })
  await store.append('datastore-a', [{ ...event, metadata: { ...event.metadata, actor } }], { expected: 'absent' })
  const key = newSigningKey()
  const audit = await startAudit(store, readStore, { key })
  await audit.settled()
  const before = await exported(readStore, personal.open, 'json')
  assert.ok(before.includes(canary) && before.includes('192.0.2.77'))
  await sealedSecrets({ pool: readStore.pool, masterKey }).destroyOwner(ALICE)
  clockMs += 60_000
  for (const format of ['json', 'csv'] as const) {
    const after = await exported(readStore, personal.open, format)
    assert.ok(!after.includes('canary') && !after.includes('192.0.2.77') && after.includes(ERASED), format)
  }
  const lines = (await exported(readStore, personal.open, 'json')).trimEnd().split('\n')
  assert.is((await verifyLines(lines, { publicKeys: [key.publicKey] })).sound, true)
  await audit.stop()
  await readStore.close()
})

test('as a table lets no cell be taken for a formula', async () => {
  const store = memoryEventStore()
  const readStore = await emptyReadStore(server.url, 'audit_csv')
  const metadata = { ...newEvent().metadata, organisationId: ALICE, requestId: '=HYPERLINK("x")' }
  await store.append('datastore-a', [{ ...newEvent('+Type, "quoted"'), metadata }], { expected: 'absent' })
  const audit = await startAudit(store, readStore)
  await audit.settled()
  const [, row = ''] = (await exported(readStore, asIs, 'csv')).split('\r\n')
  assert.ok(row.includes(`"'=HYPERLINK(""x"")"`), row)
  assert.ok(row.includes(`"'+Type, ""quoted"""`), row)
  await audit.stop()
  await readStore.close()
})

test.run()
