import type { Generated } from 'kysely'
import type { Migrations } from '../read-store/migrate.ts'

/** The Postgres schema of the sealed secrets. */
export const VAULT = 'vault'

/** `vault.owner_key`: one wrapped data key per owner. `vault.secret`: what is sealed under it. */
export type VaultSchema = {
  'vault.owner_key': {
    key_id: string
    owner_id: string
    wrapped: Buffer
    made_at: Generated<Date>
  }
  /** Owners whose key is destroyed: they never get another. */
  'vault.erased_owner': { owner_id: string; erased_at: Generated<Date> }
  'vault.secret': {
    key_id: string
    subject_id: string
    name: string
    sealed: Buffer
    sealed_at: Generated<Date>
  }
}

export const vaultMigrations: Migrations = {
  '0001-owner-keys-and-secrets': {
    up: async (db) => {
      const schema = db.schema.withSchema(VAULT)
      await schema
        .createTable('owner_key')
        .addColumn('key_id', 'uuid', (column) => column.primaryKey())
        .addColumn('owner_id', 'text', (column) => column.notNull().unique())
        .addColumn('wrapped', 'bytea', (column) => column.notNull())
        .addColumn('made_at', 'timestamptz', (column) => column.notNull().defaultTo(db.fn('now')))
        .execute()
      await schema
        .createTable('secret')
        // A secret lives no longer than its key: what is sealed while its owner is destroyed finds no key and fails.
        .addColumn('key_id', 'uuid', (column) =>
          column.notNull().references(`${VAULT}.owner_key.key_id`).onDelete('cascade'),
        )
        .addColumn('subject_id', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('sealed', 'bytea', (column) => column.notNull())
        .addColumn('sealed_at', 'timestamptz', (column) => column.notNull().defaultTo(db.fn('now')))
        .addPrimaryKeyConstraint('secret_pk', ['key_id', 'subject_id', 'name'])
        .execute()
      await schema.createIndex('secret_subject').on('secret').column('subject_id').execute()
    },
  },
  '0002-erased-owners': {
    up: async (db) => {
      await db.schema
        .withSchema(VAULT)
        .createTable('erased_owner')
        .addColumn('owner_id', 'text', (column) => column.primaryKey())
        .addColumn('erased_at', 'timestamptz', (column) => column.notNull().defaultTo(db.fn('now')))
        .execute()
    },
  },
}
