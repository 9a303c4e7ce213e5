import type { Member, ReachedNode } from '../engine.ts'
import type { Layout } from './layout.ts'
import type { Settings } from './settings.ts'
import { REPLICATION_ROLE, SUPERUSER, slotOf } from './layout.ts'

/**
 * Any one of these must have on its disk what is acknowledged (manual, 20.6.2). A replica is given them too: there they say
 * nothing, and hold from the first moment on in which it is the primary.
 */
const confirmedBy = (members: readonly Member[]): string =>
  members.length === 0 ? '' : `ANY 1 (${members.map(({ name }) => `"${name.replaceAll('"', '""')}"`).join(', ')})`

/** A value of postgresql.conf; also how conninfo strings go into it. A backslash begins an escape there (manual, 20.1.2). */
export const quoted = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`

/** Keyword/value connection string of libpq (manual, 34.1.1.1). Never holds a password: that is in the passfile. */
export const conninfo = (parts: Readonly<Record<string, string | number>>): string =>
  Object.entries(parts)
    .map(([keyword, value]) => `${keyword}='${String(value).replaceAll(/[\\']/g, (it) => `\\${it}`)}'`)
    .join(' ')

/** Under what a replica follows. One that is to confirm nothing has a name that is no member's. */
export const followsAs = ({ member: { name }, unconfirming }: Pick<ReachedNode, 'member' | 'unconfirming'>): string =>
  unconfirming === true ? `${name} (unconfirming)` : name

/**
 * How a member reaches another over the network: by address, its certificate checked against its name. A WAL receiver heeds
 * no `connect_timeout` (libpq, PQconnectStartParams), and a kernel that calls a machine which is off waits longer each time;
 * `tcp_user_timeout` (ms) ends that wait, so that a primary which is back is followed within seconds.
 */
export const memberConninfo = (layout: Layout, self: Pick<Member, 'name'>, other: Member): string =>
  conninfo({
    host: other.hostname,
    hostaddr: other.address,
    port: other.port,
    user: REPLICATION_ROLE,
    passfile: layout.passfile,
    sslmode: 'verify-full',
    sslrootcert: layout.authority,
    application_name: self.name,
    connect_timeout: 5,
    tcp_user_timeout: 5_000,
  })

export type ServerConfig = Pick<ReachedNode, 'unconfirming'> & {
  readonly layout: Layout
  readonly settings: Settings
  /** What the tenant has chosen; what we set goes before it. */
  readonly parameters: Readonly<Record<string, string>>
  readonly member: Member
  readonly address: string
  /** Whom to stream from while this node is a replica. */
  readonly upstream: Member | undefined
  /** Whether transactions of tenants only read, unless they say otherwise. */
  readonly readOnly?: boolean
  /** The members of whom one must have what is acknowledged; absent or empty: none. */
  readonly confirming?: readonly Member[]
}

/** What the tenant has chosen of what we do not set ourselves. A line break would begin another setting. */
const chosen = (parameters: Readonly<Record<string, string>>, ours: Settings): Settings =>
  Object.fromEntries(
    Object.entries(parameters).filter(
      ([name, value]) => /^[a-z][a-z0-9_]*$/.test(name) && !/[\r\n\0]/.test(value) && !Object.hasOwn(ours, name),
    ),
  )

/**
 * postgresql.conf. The file lies outside of the cluster's folder, so that a base backup does not bring another node's
 * along.
 */
export const postgresqlConf = (config: ServerConfig): string =>
  Object.entries(settingsIn(config))
    .map(([name, value]) => `${name} = ${typeof value === 'number' ? value : quoted(value)}\n`)
    .join('')

/** All that postgresql.conf sets. */
export const settingsIn = (config: ServerConfig): Settings => {
  const { layout, settings, parameters, member, address, upstream, readOnly = false, confirming = [] } = config
  const fixed: Settings = {
    data_directory: layout.data,
    hba_file: layout.hba,
    ident_file: layout.ident,
    listen_addresses: address,
    port: member.port,
    unix_socket_directories: layout.socket,
    unix_socket_permissions: '0700',
    cluster_name: member.name,
    ssl: 'on',
    ssl_cert_file: layout.certificate,
    ssl_key_file: layout.certificate,
    ssl_min_protocol_version: 'TLSv1.2',
    password_encryption: 'scram-sha-256',
    wal_level: 'replica',
    wal_log_hints: 'on',
    hot_standby: 'on',
    max_wal_senders: 20,
    max_replication_slots: 20,
    wal_retrieve_retry_interval: '500ms',
    wal_receiver_status_interval: '1s',
    wal_sender_timeout: '5s',
    wal_receiver_timeout: '5s',
    synchronous_standby_names: confirmedBy(confirming),
    log_line_prefix: '%m [%p] %q%u@%d ',
    log_timezone: 'UTC',
    timezone: 'UTC',
    datestyle: 'iso, mdy',
    lc_messages: 'C.UTF-8',
    lc_monetary: 'C.UTF-8',
    lc_numeric: 'C.UTF-8',
    lc_time: 'C.UTF-8',
    default_text_search_config: 'pg_catalog.english',
  }
  const streaming: Settings =
    upstream === undefined
      ? {}
      : { primary_conninfo: memberConninfo(layout, { name: followsAs(config) }, upstream), primary_slot_name: slotOf(member) }
  const guard: Settings = readOnly ? { default_transaction_read_only: 'on' } : {}
  return { ...fixed, ...settings, ...chosen(parameters, { ...fixed, ...settings }), ...streaming, ...guard }
}

/**
 * pg_hba.conf: the machine's own user through the socket, members for replication, tenants from trusted sources; always
 * TLS and scram. Our own roles are of no use to anyone else. `samehost` lets in members that share a machine, whose
 * packets all come from one address.
 *
 * @param trusted ranges that tenants may come from; undefined: from anywhere
 */
export const pgHba = (members: readonly Member[], trusted: readonly string[] | undefined): string =>
  [
    `local all ${SUPERUSER} peer map=machine`,
    ...[...members.map(({ address }) => `${address}/${address.includes(':') ? 128 : 32}`).toSorted(), 'samehost'].map(
      (from) => `hostssl replication,postgres ${REPLICATION_ROLE} ${from} scram-sha-256`,
    ),
    `host all,replication ${SUPERUSER},${REPLICATION_ROLE} all reject`,
    ...(trusted ?? ['all']).toSorted().map((from) => `hostssl all all ${from} scram-sha-256`),
    '',
  ].join('\n')

/** pg_ident.conf: which user of the machine is the superuser. */
export const pgIdent = (machineUser: string): string => `machine "${machineUser}" ${SUPERUSER}\n`

/** libpq's passfile (manual, 34.16): any host, any port, any database. */
export const passfile = (replicationPassword: string): string =>
  `*:*:*:${REPLICATION_ROLE}:${replicationPassword.replaceAll(/[\\:]/g, (it) => `\\${it}`)}\n`
