import { type Rejection, reject } from '../kernel/decider.ts'
import { PRIVILEGES, type Privilege } from './access.ts'

const NAME_BYTES_MAX = 63
const DATABASE_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u
const PASSWORD = /^[\x20-\x7e]{8,128}$/

/** Whatever the engine: what is reserved with one is with all, so that data can move. */
const RESERVED_DATABASES: ReadonlySet<string> = new Set([
  'information_schema', 'mysql', 'performance_schema', 'sys', 'postgres', 'template0', 'template1', 'proxydemo', 'ccxdb',
])
const RESERVED_USERS: ReadonlySet<string> = new Set([
  'root', 'postgres', 'cmon', 'cmonexporter', 'cmon_replication', 'netdata', 'backupuser', 'mysql', 'mariadb.sys', 'mysql.sys',
  'mysql.session', 'mysql.infoschema', 'repl_user', 'rpl_user', 'event_scheduler', 'system user', 'public',
  'mysql.pxc.sst.role', 'mysql.pxc.internal.session', 'percona.telemetry', 's9spostgresqlchk', 'proxysql-monitor',
  'proxysql-demo', 'proxydemo', 's9smysqlchk', 'default', 'replica-user', 'sentinel-user', 'ccxadmin', 'ccx_replication',
])
const RESERVED_BEGINNINGS = ['pg_', 'ccx_']

export type NameRejection = 'malformed-name' | 'malformed-password' | 'reserved-name' | 'not-offered'
type Refused = Rejection<NameRejection>

/** Of the text as UTF-8, which is what a server counts. */
const bytesOf = (text: string): number =>
  Array.from(text).reduce((sum, char) => {
    const code = char.codePointAt(0) ?? 0
    return sum + (code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4)
  }, 0)

/**
 * Whether a name is the system's own, in whatever case it is written.
 *
 * @param own what this datastore has beside: its administrator, its first database
 */
export const isReserved = (what: 'database' | 'user', name: string, own: string): boolean => {
  const lower = name.toLowerCase()
  const reserved = what === 'database' ? RESERVED_DATABASES : RESERVED_USERS
  return reserved.has(lower) || lower === own.toLowerCase() || RESERVED_BEGINNINGS.some((text) => lower.startsWith(text))
}

/**
 * Why a database or user cannot go by this name.
 *
 * @param field what the client calls it
 */
export const accessNameRefusal = (
  what: 'database' | 'user',
  name: string,
  { field, own }: { readonly field: string; readonly own: string },
): Refused | undefined => {
  if (name.trim() === '' || bytesOf(name) > NAME_BYTES_MAX) {
    return reject('malformed-name', `${field} must have 1 to ${NAME_BYTES_MAX} bytes, and more than spaces`)
  }
  if (what === 'database' && !DATABASE_NAME.test(name)) {
    return reject('malformed-name', `${field} must begin with a letter or _, and hold only letters, digits and _`)
  }
  if (UNPRINTABLE.test(name)) return reject('malformed-name', `${field} must not hold control characters`)
  return isReserved(what, name, own) ? reject('reserved-name', `${field} is a name that the system needs`) : undefined
}

/** Why nobody can have this password. */
export const passwordRefusal = (password: string): Refused | undefined =>
  PASSWORD.test(password)
    ? undefined
    : reject('malformed-password', 'database_password must have 8 to 128 printable ASCII characters')

/** What each word of SQL comes to: a user holds at least what was asked for, in one of four steps. */
const WORDS: readonly (readonly [RegExp, Privilege])[] = [
  [/^(?:all|all privileges|grant option)$/, 'all'],
  [/^(?:ddl|create|alter|drop|index|references|trigger|create view|create routine|alter routine|truncate)$/, 'ddl'],
  [/^(?:write|readwrite|insert|update|delete|execute|usage|lock tables)$/, 'write'],
  [/^(?:read|readonly|select|connect|show view|temporary|temp)$/, 'read'],
]

/**
 * Reads privileges as clients name them: one of the four steps, or the words of SQL separated by commas.
 *
 * @param field what the client calls it
 */
export const privilegeOf = (text: string, field: string): Privilege | Refused => {
  const words = text.split(/[,;]/).map((word) => word.trim().toLowerCase().replaceAll(/\s+/g, ' '))
  const meant = words.map((word) => WORDS.find(([pattern]) => pattern.test(word))?.[1])
  const best = PRIVILEGES.findLast((privilege) => meant.includes(privilege))
  return best === undefined || meant.includes(undefined)
    ? reject('not-offered', `${field} must be one of ${PRIVILEGES.join(', ')}, or words of SQL such as SELECT,INSERT`)
    : best
}

/** The name that a user's second login goes by: his own with an ending, cut where it would be too long. */
export const secondName = (name: string): string => {
  const ending = '_b'
  let kept = name
  while (bytesOf(kept) + ending.length > NAME_BYTES_MAX) kept = Array.from(kept).slice(0, -1).join('')
  return `${kept}${ending}`
}
