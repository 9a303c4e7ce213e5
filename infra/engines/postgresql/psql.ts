import type { Member, ReachedNode } from '../engine.ts'
import { CommandFailed } from '../../host.ts'
import { conninfo, memberConninfo } from './config.ts'
import { SUPERUSER, layoutOf } from './layout.ts'

/** psql's exit code when there was no connection to be had. */
const NO_CONNECTION = 2

/**
 * A statement is not to end up in the server's log, for what it may carry, nor to end before its time: whatever the tenant has
 * chosen for everybody.
 */
export const OWN = [
  'log_min_error_statement=panic', 'log_statement=none', 'log_min_duration_statement=-1',
  'statement_timeout=0', 'lock_timeout=0', 'idle_session_timeout=0', 'idle_in_transaction_session_timeout=0',
].map((setting) => `-c ${setting}`).join(' ')

const WRITER = '-c default_transaction_read_only=off'
const LOCALLY = '-c synchronous_commit=local'

/** How a node's own server is reached, through its socket. */
export const LOCAL = { user: SUPERUSER, dbname: 'postgres', connect_timeout: 5 } as const

/** An SQL name. */
export const name = (text: string): string => `"${text.replaceAll('"', '""')}"`

/** An SQL string; the server's `standard_conforming_strings` is on, so a backslash is only a backslash. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/**
 * Runs statements on the node's own server as its superuser, through its socket.
 *
 * @param sql statements and psql commands; they go by stdin, so they may carry verifiers of passwords
 * @param options.as a tenant's transactions only read while the guard of the volume holds writes back, our own do not
 * @param options.commit `local`: nothing of it waits for a replica to have it
 * @param options.database to connect to; default the server's own
 * @returns what they selected: rows by line, columns by `|`
 * @throws CommandFailed when the server does not answer or refuses one of them; then none after it has run
 */
export const psql = (
  { host, member, signal }: ReachedNode,
  sql: string,
  {
    timeoutMs = 60_000,
    database = LOCAL.dbname,
    as = 'writer',
    commit = 'confirmed',
  }: {
    readonly timeoutMs?: number
    readonly database?: string
    readonly as?: 'writer' | 'tenant'
    readonly commit?: 'confirmed' | 'local'
  } = {},
): Promise<string> =>
  host.run(command(conninfo({ ...LOCAL, dbname: database, host: layoutOf(host).socket, port: member.port })), {
    stdin: sql,
    env: {
      LC_ALL: 'C.UTF-8',
      PGOPTIONS: [OWN, ...(as === 'writer' ? [WRITER] : []), ...(commit === 'local' ? [LOCALLY] : [])].join(' '),
    },
    timeoutMs,
    signal,
  })

/**
 * Runs statements on another member's server as the replication role, over TLS, the server's name verified.
 *
 * @throws CommandFailed when the server does not answer or refuses
 */
export const psqlAt = (
  { host, member, signal }: ReachedNode,
  other: Member,
  sql: string,
  { timeoutMs = 60_000 }: { readonly timeoutMs?: number } = {},
): Promise<string> =>
  host.run(command(`${memberConninfo(layoutOf(host), member, other)} dbname=postgres`), {
    stdin: sql,
    env: { LC_ALL: 'C.UTF-8' },
    timeoutMs,
    signal,
  })

/** Whether a statement could not be asked because no server took the connection. */
export const unanswered = (error: unknown): boolean =>
  error instanceof CommandFailed && error.exitCode === NO_CONNECTION

export const command = (database: string): readonly [string, ...string[]] => [
  'psql', '--no-psqlrc', '--no-password', '--quiet', '--no-align', '--tuples-only',
  '--set=ON_ERROR_STOP=1', '--set=VERBOSITY=terse', '--dbname', database,
]
