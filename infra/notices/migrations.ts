import { type Kysely, sql } from 'kysely'
import type { Migrations } from '../read-store/migrate.ts'

/** The Postgres schema of what the sending of notices remembers. */
export const NOTICES = 'notices'

export type NoticesSchema = { 'notices.checkpoint': { one: true; position: string } }
export type NoticesDb = Kysely<NoticesSchema>

export const noticesMigrations: Migrations = {
  '0001-checkpoint': {
    up: async (db: Kysely<unknown>) => {
      const statement = `create table notices.checkpoint (one boolean primary key check (one), position text not null)`
      await sql.raw(statement).execute(db)
    },
  },
}
