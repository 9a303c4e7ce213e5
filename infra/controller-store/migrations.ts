import { sql, type Kysely, type Migration } from 'kysely'

const run = async (db: Kysely<unknown>, ...statements: readonly string[]): Promise<void> => {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const addColumns = async (db: Kysely<unknown>, table: string, columns: Readonly<Record<string, string>>): Promise<void> => {
  for (const [column, definition] of Object.entries(columns)) {
    const { rows } = await sql`select 1 from information_schema.columns
      where table_schema = database() and table_name = ${table} and column_name = ${column}`.execute(db)
    if (rows.length === 0) await run(db, `alter table ${table} add column ${column} ${definition}`)
  }
}

/**
 * Every step there has ever been, by name. MySQL commits each statement by itself, so a step that was cut off runs
 * again: its statements must bear that.
 */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001-clusters': {
    up: (db) =>
      run(
        db,
        `create table if not exists clusters (
           datastore_id varchar(64) primary key,
           owner_id varchar(64) not null,
           name varchar(255) not null,
           engine varchar(64) not null,
           version varchar(32) not null,
           registered_at datetime(3) not null
         ) character set utf8mb4`,
        `create table if not exists hosts (
           node_id varchar(64) primary key,
           datastore_id varchar(64) not null,
           name varchar(255) not null,
           hostname varchar(255) not null,
           provider varchar(64) not null,
           address varchar(64) not null,
           port int not null,
           instance text not null,
           role varchar(16) not null,
           status varchar(32) not null,
           lag_bytes bigint null,
           last_seen datetime(3) null,
           shut_down tinyint not null,
           index hosts_of_datastore (datastore_id)
         ) character set utf8mb4`,
        `create table if not exists jobs (
           order_id varchar(64) primary key,
           job_id varchar(64) not null,
           datastore_id varchar(64) not null,
           command varchar(64) not null,
           status varchar(16) not null,
           result longtext null,
           because text null,
           final tinyint null,
           started_at datetime(3) not null,
           ended_at datetime(3) null,
           index jobs_of_datastore (datastore_id, started_at)
         ) character set utf8mb4`,
        `create table if not exists job_log (
           line_id bigint auto_increment primary key,
           order_id varchar(64) not null,
           at datetime(3) not null,
           line text not null,
           index job_log_of_order (order_id, line_id)
         ) character set utf8mb4`,
        `create table if not exists alarms (
           alarm_id bigint auto_increment primary key,
           datastore_id varchar(64) not null,
           node_id varchar(64) not null,
           type_name varchar(64) not null,
           subject varchar(64) not null,
           component varchar(32) not null,
           severity varchar(32) not null,
           title varchar(255) not null,
           message text not null,
           counter int not null,
           raised_at datetime(3) not null,
           cleared_at datetime(3) null,
           unique index alarms_by_what (datastore_id, node_id, type_name, subject)
         ) character set utf8mb4`,
      ),
  },
  // A datastore's name is the tenant's own word, and nothing here needs it.
  '0002-clusters-without-names': {
    up: async (db) => {
      const { rows } = await sql`select 1 from information_schema.columns
        where table_schema = database() and table_name = 'clusters' and column_name = 'name'`.execute(db)
      if (rows.length > 0) await run(db, 'alter table clusters drop column name')
    },
  },
  // What the servers are held against.
  '0003-parameters-of-clusters': {
    up: async (db) => {
      const { rows } = await sql`select 1 from information_schema.columns
        where table_schema = database() and table_name = 'clusters' and column_name = 'parameters'`.execute(db)
      if (rows.length === 0) await run(db, 'alter table clusters add column parameters mediumtext null')
    },
  },
  // Who may take writes. Hosts that are there have joined, as far as anybody knows; new ones say so when they do.
  '0004-standing': {
    up: async (db) => {
      await addColumns(db, 'clusters', {
        synchronous: 'tinyint null',
        repair_after_seconds: 'int null',
        slot: 'smallint generated always as (crc32(datastore_id) % 64) stored',
        epoch: 'bigint not null default 0',
        promoted_epoch: 'bigint not null default 0',
        primary_id: 'varchar(64) null',
      })
      await addColumns(db, 'hosts', {
        fenced_epoch: 'bigint null',
        lease_ttl_ms: 'int null',
        joined: 'tinyint not null default 1',
      })
      const slots = Array.from({ length: 64 }, (_, slot) => `(${slot})`).join(', ')
      await run(
        db,
        `create table if not exists controller_slots (
           slot smallint primary key,
           controller_id varchar(64) null,
           until datetime(6) null
         ) character set utf8mb4`,
        `insert ignore into controller_slots (slot) values ${slots}`,
        `create table if not exists controllers (
           controller_id varchar(64) primary key,
           until datetime(6) not null
         ) character set utf8mb4`,
      )
    },
  },
  // Whoever finds a node well that was told to be lost tells that, whichever controller told the loss.
  '0005-told-lost': {
    up: (db) => addColumns(db, 'hosts', { told_lost_at: 'datetime(3) null' }),
  },
  // A lease that is not renewed goes on while certain replicas are heard: whoever ends it has to silence one of those.
  '0006-who-is-heard': {
    up: (db) => addColumns(db, 'hosts', { lease_replicas: 'text null' }),
  },
  // What the next primary must have, whoever else is lost until then.
  '0007-needed': {
    up: (db) => addColumns(db, 'clusters', { needed_bytes: 'bigint null' }),
  },
  // What a job need not wait for.
  '0008-lost-since': {
    up: (db) => addColumns(db, 'hosts', { lost_since: 'datetime(3) null' }),
  },
  // A controller that has never seen the primary knows how much it had written, too.
  '0009-position': {
    up: (db) => addColumns(db, 'hosts', { position_bytes: 'bigint null' }),
  },
  // Whoever finds the process of a controller gone need not wait until it is not heard of.
  '0010-processes': {
    up: (db) => addColumns(db, 'controllers', { process: 'varchar(255) null' }),
  },
}
