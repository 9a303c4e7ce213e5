/**
 * How the tables of the read models are made. A table belongs to the version of its projection: another version is made
 * beside it from the log and takes its place, so no statement ever alters a table.
 */

// Positions are text: a 64-bit number has no exact place in JSON, and "C" makes the order of the text that of the log.
const tables: Readonly<Record<string, readonly [string, ...string[]]>> = {
  datastores: [
    `create table read.datastores (
      datastore_id text primary key,
      owner_id text not null,
      name text not null,
      status text not null,
      status_reason text,
      stopped boolean not null,
      deployed boolean not null,
      vendor text not null,
      version text not null,
      type text not null,
      cloud text not null,
      region text not null,
      instance_size text not null,
      volume_type text not null,
      volume_size_gib integer not null,
      volume_iops integer,
      network_type text not null,
      high_availability boolean not null,
      size integer not null,
      port integer not null,
      primary_host text not null,
      replica_host text not null,
      db_username text not null,
      db_database text not null,
      parameter_group_id text,
      tags jsonb not null,
      places jsonb not null,
      notifications jsonb not null,
      maintenance jsonb not null,
      targets jsonb not null,
      read_only_because text,
      autoscale jsonb,
      upgrade_in_window text,
      trusted jsonb not null,
      availability jsonb not null,
      health jsonb not null,
      created_at timestamptz not null,
      updated_at timestamptz not null
    )`,
    `create index datastores_by_owner on read.datastores (owner_id, created_at desc, datastore_id)`,
  ],
  nodes: [
    `create table read.nodes (
      datastore_id text primary key,
      owner_id text not null,
      cloud text not null,
      region text not null,
      volume_type text not null,
      volume_size_gib integer not null,
      port integer not null,
      running boolean not null,
      read_only boolean not null,
      nodes jsonb not null
    )`,
    `create index nodes_by_owner on read.nodes (owner_id)`,
  ],
  outages: [
    `create table read.outages (
      datastore_id text primary key,
      owner_id text not null,
      health jsonb not null,
      hostnames jsonb not null,
      outages jsonb not null
    )`,
    `create index outages_by_owner on read.outages (owner_id)`,
  ],
  database_access: [
    `create table read.database_access (
      datastore_id text primary key,
      owner_id text not null,
      admin text not null,
      first_database text not null,
      admin_vault_id text,
      databases jsonb not null,
      users jsonb not null,
      ends_at timestamptz
    )`,
    `create index database_access_by_owner on read.database_access (owner_id)`,
    `create index database_access_by_end on read.database_access (ends_at) where ends_at is not null`,
  ],
  usage: [
    `create table read.usage (
      datastore_id text primary key,
      owner_id text not null,
      vendor text not null,
      type text not null,
      shape jsonb not null,
      segments jsonb not null,
      created_at timestamptz not null,
      deleted_at timestamptz
    )`,
    `create index usage_by_life on read.usage (created_at, deleted_at)`,
    `create index usage_by_owner on read.usage (owner_id)`,
  ],
  jobs: [
    `create table read.jobs (
      job_id text primary key,
      datastore_id text not null,
      owner_id text not null,
      kind text not null,
      state text not null,
      title text,
      progress_percent integer not null,
      reason text,
      needs_attention boolean not null,
      steps jsonb not null,
      queued_by text not null,
      queued_position text collate "C" not null,
      queued_at timestamptz not null,
      started_at timestamptz,
      ended_at timestamptz
    )`,
    `create index jobs_by_datastore on read.jobs (datastore_id, queued_position desc)`,
    `create index jobs_by_owner on read.jobs (owner_id, queued_position desc)`,
    `create index jobs_for_operators on read.jobs (queued_position) where needs_attention`,
  ],
  job_log: [
    `create table read.job_log (
      job_id text not null,
      datastore_id text not null,
      severity text not null,
      step text,
      node_id text,
      course text not null,
      attempt integer,
      line text not null,
      position text collate "C" primary key,
      at timestamptz not null
    )`,
    `create index job_log_by_job on read.job_log (job_id, position)`,
  ],
  accounts: [
    `create table read.accounts (
      account_id text primary key,
      login text not null,
      first_name text not null,
      last_name text not null,
      is_admin boolean not null,
      to_confirm boolean not null,
      issuer text,
      customer_reference text,
      terms jsonb,
      suspended boolean not null,
      suspended_because text,
      deleted boolean not null,
      created_at timestamptz not null
    )`,
    // Not unique: the id follows from the login, and the database's idea of lower case must not stop the projector.
    `create index accounts_by_login on read.accounts (lower(login))`,
  ],
  organisations: [
    `create table read.organisations (
      organisation_id text primary key,
      name text not null,
      members jsonb not null,
      invitations jsonb not null,
      created_at timestamptz not null,
      updated_at timestamptz not null
    )`,
    `create index organisations_by_member on read.organisations using gin (members jsonb_path_ops)`,
    `create index organisations_by_invitation on read.organisations using gin (invitations jsonb_path_ops)`,
  ],
  feed: [
    `create table read.feed (
      position text collate "C" primary key,
      organisation_id text not null,
      id text not null,
      type text not null,
      subject text not null,
      datastore_id text,
      at timestamptz not null,
      data jsonb not null
    )`,
    `create index feed_by_organisation on read.feed (organisation_id, position)`,
    `create index feed_by_subject on read.feed (organisation_id, subject, position)`,
  ],
  event_streams: [
    `create table read.event_streams (
      organisation_id text primary key,
      open boolean not null,
      changed_at timestamptz not null
    )`,
  ],
  oauth_clients: [
    `create table read.oauth_clients (
      client_id text primary key,
      owner_id text not null,
      organisation_id text,
      role text,
      name text not null,
      created_at timestamptz not null,
      expires_at timestamptz
    )`,
    `create index oauth_clients_by_organisation on read.oauth_clients (organisation_id, created_at desc, client_id)`,
    `create index oauth_clients_by_owner on read.oauth_clients (owner_id, created_at desc, client_id)`,
  ],
  parameter_groups: [
    `create table read.parameter_groups (
      group_id text primary key,
      owner_id text not null,
      name text not null,
      description text,
      vendor text not null,
      version text not null,
      type text not null,
      parameters jsonb not null,
      created_at timestamptz not null,
      updated_at timestamptz not null
    )`,
    `create index parameter_groups_by_owner on read.parameter_groups (owner_id, created_at desc, group_id)`,
  ],
  parameters: [
    `create table read.parameters (
      datastore_id text primary key,
      owner_id text not null,
      applied jsonb not null,
      waiting jsonb not null,
      failed jsonb,
      updated_at timestamptz not null
    )`,
    `create index parameters_by_owner on read.parameters (owner_id)`,
  ],
  webhooks: [
    `create table read.webhooks (
      webhook_id text primary key,
      organisation_id text not null,
      url text not null,
      description text,
      types jsonb not null,
      subjects jsonb not null,
      paused_because text,
      paused_at timestamptz,
      secret_id text not null,
      previous_secret_id text,
      previous_secret_until timestamptz,
      feed_from text collate "C" not null,
      course text not null,
      as_of text collate "C" not null,
      created_at timestamptz not null,
      updated_at timestamptz not null
    )`,
    `create index webhooks_by_organisation on read.webhooks (organisation_id, created_at desc, webhook_id)`,
  ],
}

const CHECKPOINTS = `create table if not exists read.checkpoints (
  projection text primary key,
  version integer not null,
  position_commit numeric(20) not null,
  position_prepare numeric(20) not null,
  updated_at timestamptz not null
)`

const within = (schema: string, statement: string): string => statement.replaceAll('read.', `"${schema}".`)

/**
 * The statements that make a table in a schema: the table itself, and its indexes, which a table that is filled at one
 * blow gets afterwards.
 *
 * @throws when there is no table of that name
 */
export const tableStatements = (
  schema: string,
  table: string,
): { readonly create: string; readonly indexes: readonly string[] } => {
  const [create, ...indexes] = tables[table] ?? []
  if (create === undefined) throw new Error(`BUG: nothing says how the table ${table} is made`)
  return { create: within(schema, create), indexes: indexes.map((statement) => within(schema, statement)) }
}

/** Makes the table of checkpoints in a schema, if it is absent. */
export const checkpointsStatement = (schema: string): string => within(schema, CHECKPOINTS)
