import { randomBytes, randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ERASED, OrganisationErased } from '../../domain/kernel/sealed.ts'
import { connect } from '../../infra/read-store/connect.ts'
import { migrateToLatest } from '../../infra/read-store/migrate.ts'
import { VAULT, vaultMigrations } from '../../infra/secrets/migrations.ts'
import { KEY_AGE_MS_MAX, personalData } from '../../infra/secrets/personal-data.ts'
import { sealedSecrets } from '../../infra/secrets/sealed.ts'
import { startPostgres } from '../support/postgres.ts'

const test = suite('personal data')

const postgres = await startPostgres()
const { pool, db, close } = connect(postgres.url)
await migrateToLatest(db, { schema: VAULT, migrations: vaultMigrations })
const masterKey = randomBytes(32)
let clockMs = 0
const personal = personalData({ pool, masterKey, clockMs: () => clockMs })
/** As another process has it, which remembers no key. */
const elsewhere = () => personalData({ pool, masterKey })
const { destroyOwner } = sealedSecrets({ pool, masterKey })

test.after(async () => {
  await close()
  await postgres.stop()
})

test('opens to what was sealed, in any process, whatever the text', () =>
  fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.constantFrom('own_a', 'own_b'), fc.string({ unit: 'grapheme' }))), async (texts) => {
      const tokens = await Promise.all(texts.map(([owner, text]) => personal.seal(owner, text)))
      assert.equal(await elsewhere().open(tokens), texts.map(([, text]) => text))
      tokens.forEach((token, n) => assert.ok((texts[n]?.[1].length ?? 0) < 8 || !token.includes(texts[n]?.[1] ?? '')))
    }),
    { numRuns: 30 },
  ))

test('never looks the same twice', async () => {
  assert.is.not(await personal.seal('own_a', 'ada'), await personal.seal('own_a', 'ada'))
})

test('that was written before there were seals is read as it is', async () => {
  const token = await personal.seal('own_a', 'new')
  assert.equal(await personal.open(['old', token, '', 'sealed: not really']), ['old', 'new', '', 'sealed: not really'])
})

test('cannot be read once the key is destroyed, and none is sealed any more; that of others can', async () => {
  const owner = randomUUID()
  const tokens = [await personal.seal(owner, 'ada'), await personal.seal('own_a', 'bob')]
  await destroyOwner(owner)
  assert.equal(await elsewhere().open(tokens), [ERASED, 'bob'])
  const failure = await elsewhere().seal(owner, 'again').then(() => undefined, (error: unknown) => error)
  assert.instance(failure, OrganisationErased)
})

test('can be read no longer than a key may be remembered after it is destroyed', async () => {
  const owner = randomUUID()
  const token = await personal.seal(owner, 'ada')
  await destroyOwner(owner)
  clockMs += KEY_AGE_MS_MAX - 1
  assert.equal(await personal.open([token]), ['ada'])
  clockMs += 1
  assert.equal(await personal.open([token]), [ERASED])
  assert.instance(await personal.seal(owner, 'x').then(() => undefined, (error: unknown) => error), OrganisationErased)
})

test('that was changed, or put under another key, does not open', async () => {
  const [, keyId, cipher = ''] = (await personal.seal('own_a', 'ada')).split(':')
  const [, other] = (await personal.seal('own_b', 'bob')).split(':')
  const changed = `${cipher.slice(0, -2)}${cipher.endsWith('AA') ? 'BB' : 'AA'}`
  for (const token of [`sealed:${keyId}:${changed}`, `sealed:${other}:${cipher}`]) {
    const failure = await personal.open([token]).then(() => undefined, (error: unknown) => error)
    assert.match(failure instanceof Error ? failure.message : '', 'does not open')
  }
})

test.run()
