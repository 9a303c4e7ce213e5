import { type Kysely, type Migration, sql } from 'kysely'

/** The steps of the audit trail's tables. All of them follow from the log, and can be made again from it. */
export const auditMigrations: Readonly<Record<string, Migration>> = {
  '0001-audit-trail': {
    up: async (db: Kysely<unknown>) => {
      for (const statement of statements) await sql.raw(statement).execute(db)
    },
  },
}

const statements: readonly string[] = [
  `create table audit.entries (
    organisation_id text not null,
    n bigint not null,
    position text collate "C" not null unique,
    event_id uuid not null,
    at timestamptz not null,
    type text not null,
    stream text not null,
    revision bigint not null,
    object_kind text not null,
    object_id text not null,
    datastore_id text,
    actor_kind text not null,
    actor_id text not null,
    client_id text,
    role text,
    command_type text,
    command_id text not null,
    correlation_id text not null,
    causation_id text not null,
    request_id text,
    event text not null,
    leaf_hash bytea not null,
    chain_hash bytea not null,
    primary key (organisation_id, n)
  )`,
  // Within one organisation the order of positions is that of n.
  `create index entries_by_datastore on audit.entries (datastore_id, position) where datastore_id is not null`,
  `create index entries_by_actor on audit.entries (organisation_id, actor_id, n)`,
  `create index entries_by_client on audit.entries (organisation_id, client_id, n) where client_id is not null`,
  `create index entries_by_type on audit.entries (organisation_id, type, n)`,
  `create index entries_by_object on audit.entries (organisation_id, object_id, n)`,
  `create index entries_by_time on audit.entries (organisation_id, at, n)`,
  `create index entries_by_request on audit.entries (organisation_id, request_id, n) where request_id is not null`,
  `create index entries_by_correlation on audit.entries (organisation_id, correlation_id, n)`,
  `create table audit.nodes (
    organisation_id text not null,
    level integer not null,
    index bigint not null,
    hash bytea not null,
    primary key (organisation_id, level, index)
  )`,
  `create table audit.chains (
    organisation_id text primary key,
    size bigint not null,
    chain_hash bytea not null,
    frontier bytea not null,
    position text not null
  )`,
  `create table audit.checkpoints (
    organisation_id text not null,
    size bigint not null,
    root_hash bytea not null,
    chain_hash bytea not null,
    position text not null,
    at timestamptz not null,
    key_id text not null,
    signature bytea not null,
    logged_position text collate "C" not null unique,
    primary key (organisation_id, size)
  )`,
  `create table audit.keys (
    key_id text primary key,
    public_key text not null,
    introduced_at timestamptz not null
  )`,
  `create table audit.progress (
    single boolean primary key default true check (single),
    position_commit numeric(20) not null,
    position_prepare numeric(20) not null
  )`,
]
