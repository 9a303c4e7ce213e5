import type { ConnectionTarget, Engine } from '../engine.ts'
import { conninfo } from './config.ts'

/** The file that the authority's certificate is saved to, beside the program. */
const AUTHORITY = 'ca.pem'

/** RFC 3986: nothing but unreserved characters stays as it is, so it fits into any part of a URI. */
const encoded = (text: string): string =>
  encodeURIComponent(text.toWellFormed()).replaceAll(/[!'()*]/g, (it) => `%${it.charCodeAt(0).toString(16).toUpperCase()}`)

/** A word of the POSIX shell. */
const word = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** A value of an ODBC connection string: in braces, a closing one of its own doubled. */
const braced = (text: string): string => `{${text.replaceAll('}', '}}')}`

/** A value of an ADO.NET connection string. */
const adoNet = (text: string): string => `"${text.replaceAll('"', '""')}"`

/** A text as Python, JavaScript, Go and Java write it down. */
const quoted = (text: string): string => JSON.stringify(text)

const uriOf = ({ host, port, database, user, password }: ConnectionTarget): string => {
  const who = password === undefined ? encoded(user) : `${encoded(user)}:${encoded(password)}`
  return `postgresql://${who}@${host}:${port}/${encoded(database)}?sslmode=verify-full&sslrootcert=${AUTHORITY}`
}

const jdbcOf = ({ host, port, database, user, password }: ConnectionTarget): string => {
  const secret = password === undefined ? '' : `&password=${encoded(password)}`
  const tls = `sslmode=verify-full&sslrootcert=${AUTHORITY}`
  return `jdbc:postgresql://${host}:${port}/${encoded(database)}?user=${encoded(user)}${secret}&${tls}`
}

const libpqOf = ({ host, port, database, user, password }: ConnectionTarget): string =>
  conninfo({
    host, port, dbname: database, user,
    ...(password === undefined ? {} : { password }),
    sslmode: 'verify-full', sslrootcert: AUTHORITY,
  })

const nodeOf = ({ host, port, database, user, password }: ConnectionTarget): string => `import { readFileSync } from 'node:fs'
import pg from 'pg'

const client = new pg.Client({
  host: ${quoted(host)},
  port: ${port},
  database: ${quoted(database)},
  user: ${quoted(user)},
  password: ${password === undefined ? 'process.env.PGPASSWORD' : quoted(password)},
  ssl: { ca: readFileSync('${AUTHORITY}', 'utf8'), servername: ${quoted(host)} },
})
await client.connect()`

const environmentOf = ({ host, port, database, user, password }: ConnectionTarget): string =>
  [
    `PGHOST=${word(host)}`,
    `PGPORT=${port}`,
    `PGDATABASE=${word(database)}`,
    `PGUSER=${word(user)}`,
    ...(password === undefined ? [] : [`PGPASSWORD=${word(password)}`]),
    'PGSSLMODE=verify-full',
    `PGSSLROOTCERT=${AUTHORITY}`,
  ].join('\n')

export const connections: Engine['connections'] = (target) => {
  const { host, port, database, user, password } = target
  const uri = uriOf(target)
  const odbc = [
    'Driver={PostgreSQL Unicode}', `Server=${host}`, `Port=${port}`, `Database=${braced(database)}`, `Uid=${braced(user)}`,
    ...(password === undefined ? [] : [`Pwd=${braced(password)}`]),
    'SSLmode=verify-full', `pqopt={sslrootcert=${AUTHORITY}}`,
  ]
  const npgsql = [
    `Host=${host}`, `Port=${port}`, `Database=${adoNet(database)}`, `Username=${adoNet(user)}`,
    ...(password === undefined ? [] : [`Password=${adoNet(password)}`]),
    'SSL Mode=VerifyFull', `Root Certificate=${AUTHORITY}`,
  ]
  return [
    { name: 'uri', language: 'any', text: uri },
    { name: 'libpq', language: 'any', text: libpqOf(target) },
    { name: 'psql', language: 'shell', text: `psql ${word(uri)}` },
    { name: 'env', language: 'shell', text: environmentOf(target) },
    { name: 'jdbc', language: 'java', text: jdbcOf(target) },
    { name: 'odbc', language: 'any', text: `${odbc.join(';')};` },
    { name: 'psycopg', language: 'python', text: `import psycopg\n\nconnection = psycopg.connect(${quoted(uri)})` },
    { name: 'pg', language: 'javascript', text: nodeOf(target) },
    { name: 'pgx', language: 'go', text: `conn, err := pgx.Connect(context.Background(), ${quoted(uri)})` },
    { name: 'npgsql', language: 'csharp', text: `${npgsql.join(';')};` },
  ]
}
