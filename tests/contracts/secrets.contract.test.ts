import { randomBytes } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { OrganisationErased } from '../../domain/kernel/sealed.ts'
import { connect, type ReadStore } from '../../infra/read-store/connect.ts'
import { migrateToLatest } from '../../infra/read-store/migrate.ts'
import { VAULT, vaultMigrations, type VaultSchema } from '../../infra/secrets/migrations.ts'
import { sealedSecrets } from '../../infra/secrets/sealed.ts'
import type { SecretRef, Secrets } from '../../infra/secrets/secrets.ts'
import { startPostgres } from '../support/postgres.ts'

type Vault = {
  readonly secrets: Secrets
  /** The same vault as another process with another master key would open it. */
  readonly underAnotherKey: () => Secrets
  /** Everything that lies in the store, as text. */
  readonly dump: () => Promise<string>
  /** Puts what is sealed as `from` where `to` is looked for, as an intruder in the store could. */
  readonly move: (from: SecretRef, to: SecretRef) => Promise<void>
}

const dumped = async ({ pool }: ReadStore<VaultSchema>): Promise<string> => {
  const { rows: tables } = await pool.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname !~ '^(pg_|information_schema)'`,
  )
  const texts = tables.map(async ({ name }) => {
    const { rows } = await pool.query<{ row: string }>(`select t::text as row from ${name} t`)
    return [name, ...rows.map(({ row }) => row)].join('\n')
  })
  return (await Promise.all(texts)).join('\n')
}

type Started = Vault & { readonly stop: () => Promise<void> }

const vaults: readonly { readonly name: string; readonly start: () => Promise<Started> }[] = [
  {
    name: 'sealed in Postgres',
    start: async () => {
      const { url, stop } = await startPostgres()
      const store = connect<VaultSchema>(url)
      const { pool, db } = store
      await migrateToLatest(db, { schema: VAULT, migrations: vaultMigrations })
      return {
        secrets: sealedSecrets({ pool, masterKey: randomBytes(32) }),
        underAnotherKey: () => sealedSecrets({ pool, masterKey: randomBytes(32) }),
        dump: () => dumped(store),
        move: async (from, to) => {
          const moved = db.selectFrom('vault.secret').select('sealed').where('subject_id', '=', from.subjectId)
          await db
            .updateTable('vault.secret')
            .set({ sealed: (await moved.executeTakeFirstOrThrow()).sealed })
            .where('subject_id', '=', to.subjectId)
            .execute()
        },
        stop: async () => {
          await store.close()
          await stop()
        },
      }
    },
  },
]

let made = 0
/** A secret that no other test uses. */
const aSecret = (differing: Partial<SecretRef> = {}): SecretRef => {
  made++
  return { ownerId: `own_${made}`, subjectId: `dst_${made}`, name: 'admin-password', ...differing }
}

const fails = async (promise: Promise<unknown>): Promise<Error> => {
  try {
    await promise
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('it was to fail')
}

for (const { name, start } of vaults) {
  const test = suite(`secrets: ${name}`)
  let vault: Started | undefined
  test.before(async () => {
    vault = await start()
  })
  test.after(() => vault?.stop())
  const fact = (sentence: string, body: (vault: Vault) => Promise<void>): void =>
    test(sentence, async () => {
      if (vault === undefined) throw new Error('BUG: a test runs after its suite has started')
      await body(vault)
    })

  fact('what was sealed opens again, and the last seal counts', async ({ secrets }) => {
    const secret = aSecret()
    assert.is(await secrets.open(secret), undefined)
    for (const value of ['first', '', 'ünï\u0000code '.repeat(1_000)]) {
      await secrets.seal(secret, value)
      assert.is(await secrets.open(secret), value)
    }
  })

  fact('secrets of other owners, subjects and names are others', async ({ secrets }) => {
    const secret = aSecret()
    const namesakes = [{ ...secret, subjectId: 'dst_x' }, { ...secret, name: 'x' }]
    const others = [aSecret({ subjectId: secret.subjectId }), ...namesakes]
    await secrets.seal(secret, 'mine')
    for (const other of others) assert.is(await secrets.open(other), undefined)
  })

  fact('a secret is made once, and who races for it gets the one that was kept', async ({ secrets }) => {
    const secret = aSecret()
    let generated = 0
    const generate = async () => `value ${++generated}`
    const got = await Promise.all(Array.from({ length: 12 }, () => secrets.ensure(secret, generate)))
    assert.is(new Set(got).size, 1)
    const before = generated
    assert.is(await secrets.ensure(secret, generate), got[0])
    assert.is(generated, before)
  })

  fact('racing for an owner\'s first secrets leaves all of them readable', async ({ secrets }) => {
    const { ownerId, subjectId } = aSecret()
    const refs = Array.from({ length: 12 }, (_, n) => ({ ownerId, subjectId, name: `secret-${n}` }))
    await Promise.all(refs.map((ref) => secrets.seal(ref, `value of ${ref.name}`)))
    for (const ref of refs) assert.is(await secrets.open(ref), `value of ${ref.name}`)
  })

  fact('a destroyed subject has no secrets left, its owner\'s others stay', async ({ secrets }) => {
    const secret = aSecret()
    const other = { ...secret, subjectId: 'dst_other' }
    await secrets.seal(secret, 'a')
    await secrets.seal(other, 'b')
    await secrets.destroySubject(secret.subjectId)
    await secrets.destroySubject(secret.subjectId)
    assert.equal([await secrets.open(secret), await secrets.open(other)], [undefined, 'b'])
  })

  fact('what a destroyed owner had is gone for good, and nothing is sealed for him any more', async ({ secrets }) => {
    const [secret, other] = [aSecret(), aSecret()]
    await secrets.seal(secret, 'a')
    await secrets.seal(other, 'b')
    await secrets.destroyOwner(secret.ownerId)
    await secrets.destroyOwner(secret.ownerId)
    assert.equal([await secrets.open(secret), await secrets.open(other)], [undefined, 'b'])
    assert.instance(await fails(secrets.seal(secret, 'c')), OrganisationErased)
    assert.is(await secrets.open(secret), undefined)
  })

  fact('an owner destroyed while others seal for him leaves nothing that does not open', async ({ secrets }) => {
    const { ownerId, subjectId } = aSecret()
    const refs = Array.from({ length: 10 }, (_, n) => ({ ownerId, subjectId, name: `secret-${n}` }))
    const sealing = refs.map((ref) => secrets.ensure(ref, async () => `value of ${ref.name}`))
    await Promise.allSettled([...sealing, secrets.destroyOwner(ownerId)])
    for (const ref of refs) assert.ok([undefined, `value of ${ref.name}`].includes(await secrets.open(ref)))
  })

  fact('under another master key nothing opens', async ({ secrets, underAnotherKey }) => {
    const secret = aSecret()
    await secrets.seal(secret, 'canary-under-another-key')
    const error = await fails(underAnotherKey().open(secret))
    assert.match(error.message, 'does not open')
    assert.not.match(error.message, 'canary')
  })

  fact('a sealed value that was put in another\'s place does not open there', async ({ secrets, move }) => {
    const secret = aSecret()
    const other = { ...secret, subjectId: `${secret.subjectId}-other` }
    await secrets.seal(secret, 'the password of one')
    await secrets.seal(other, 'the password of the other')
    await move(secret, other)
    assert.is(await secrets.open(secret), 'the password of one')
    assert.match((await fails(secrets.open(other))).message, 'does not open')
  })

  fact('no secret lies anywhere in the store as it is', async ({ secrets, dump }) => {
    const canary = 'canary-3f9d1c77-in-a-coal-mine'
    await secrets.seal(aSecret(), canary)
    await secrets.ensure(aSecret(), async () => canary)
    const text = await dump()
    assert.match(text, 'vault.secret')
    const forms = [canary, Buffer.from(canary).toString('hex'), Buffer.from(canary).toString('base64').slice(0, -2)]
    for (const form of forms) assert.not(text.toLowerCase().includes(form.toLowerCase()), form)
  })

  test.run()
}
