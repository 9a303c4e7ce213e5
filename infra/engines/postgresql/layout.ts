import type { Unit } from '../../host.ts'

export const SUPERUSER = 'postgres'
export const REPLICATION_ROLE = 'ccx_replication'

/** `sun_path` of unix(7) less its final zero; the socket's own name is what the server appends to the folder. */
const SOCKET_PATH_BYTES_MAX = 107
const SOCKET_NAME_BYTES = '/.s.PGSQL.65535'.length

/** Everything of the engine on a machine. */
export type Layout = {
  readonly dataDir: string
  /** The cluster. It comes to be by a rename, so it is whole or absent. */
  readonly data: string
  readonly config: string
  readonly hba: string
  readonly ident: string
  /** Where a replica finds the password of the replication role (libpq's passfile). */
  readonly passfile: string
  /** The server's certificate, and its key in the same file: they only fit together. */
  readonly certificate: string
  readonly authority: string
  /** Its presence: the node was fenced. Beside the cluster, for a rewind removes from that what the other one has not. */
  readonly fenced: string
  /** Beside it: it was a replica then. */
  readonly fencedReplica: string
  /** What the machine itself goes by when its server needs a lease; a folder. */
  readonly lease: string
  /** A folder, or a name in the abstract namespace (`@…`) where a folder's path would be too long. */
  readonly socket: string
  /** The names of all folders above, as they lie in `dataDir`. */
  readonly folders: readonly string[]
}

/** Where things are on a machine whose volume is mounted at `dataDir`. */
export const layoutOf = ({ dataDir }: { readonly dataDir: string }): Layout => ({
  dataDir,
  data: `${dataDir}/pgdata`,
  config: `${dataDir}/etc/postgresql.conf`,
  hba: `${dataDir}/etc/pg_hba.conf`,
  ident: `${dataDir}/etc/pg_ident.conf`,
  passfile: `${dataDir}/etc/replication.pgpass`,
  certificate: `${dataDir}/tls/server.pem`,
  authority: `${dataDir}/tls/ca.crt`,
  fenced: `${dataDir}/etc/fenced`,
  fencedReplica: `${dataDir}/etc/fenced-replica`,
  lease: `${dataDir}/etc/lease`,
  socket: socketOf(dataDir),
  folders: ['pgdata', 'etc', 'tls', 's'],
})

const socketOf = (dataDir: string): string => {
  const folder = `${dataDir}/s`
  // The end of the path is what tells machines apart, and it fits.
  return Buffer.byteLength(folder) + SOCKET_NAME_BYTES <= SOCKET_PATH_BYTES_MAX ? folder : `@${dataDir.slice(-80)}`
}

/** The prefix of folders in which a cluster is being made. */
export const ATTEMPT_PREFIX = 'attempt-'

/** What a server is begun through where there is a gate (`keepLease` puts it there): it waits for a lease. */
export const gateOf = (layout: Layout): string => `${layout.lease}/gate.sh`

const THROUGH_GATE = ['sh', '-c', 'test -e "$0" || exec "$@"; exec sh "$0" "$@"'] as const

/** The server as the machine runs it. SIGINT is a fast shutdown: sessions end, the cluster is left clean. */
export const unitOf = (layout: Layout): Unit => ({
  name: 'postgresql',
  argv: [...THROUGH_GATE, gateOf(layout), 'postgres', '-D', layout.data, '-c', `config_file=${layout.config}`],
  env: { LC_ALL: 'C.UTF-8' },
  stopSignal: 'SIGINT',
  stopTimeoutMs: 60_000,
  reloadSignal: 'SIGHUP',
})

/** A replication slot's name for a member: slots know no dashes. */
export const slotOf = (member: { readonly name: string }): string =>
  member.name.toLowerCase().replaceAll(/[^a-z0-9_]/g, '_')
