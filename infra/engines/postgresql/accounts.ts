import { CannotServe, type Engine } from '../engine.ts'
import { REPLICATION_ROLE, SUPERUSER } from './layout.ts'
import { literal, name, psql } from './psql.ts'
import { roleIfAbsent } from './roles.ts'
import { scramVerifier } from './scram.ts'

const NAME_BYTES_MAX = 63
const RESERVED_DATABASES = ['postgres', 'template0', 'template1']

/** The tenant's administrator: may make roles and databases, but is no superuser. He owns his first database. */
export const createAccount: Engine['createAccount'] = async (node, { username, password, database }) => {
  if (!isName(username) || [SUPERUSER, REPLICATION_ROLE].includes(username) || username.startsWith('pg_')) {
    throw new CannotServe(`the name ${username} cannot be had for a user`)
  }
  if (!isName(database) || RESERVED_DATABASES.includes(database)) {
    throw new CannotServe(`the name ${database} cannot be had for a database`)
  }
  const owned = literal(`create database ${name(database)} owner ${name(username)}`)
  await psql(
    node,
    `${roleIfAbsent(username)}
alter role ${name(username)} login createrole createdb password ${literal(await scramVerifier(password))};
select ${owned} where not exists (select from pg_database where datname = ${literal(database)}) \\gexec
`,
  )
}

/** The verifier of the new password; whoever is connected stays so. */
export const setPassword: Engine['setPassword'] = async (node, { username, password }) => {
  await psql(node, `alter role ${name(username)} password ${literal(await scramVerifier(password))};`)
}

/** Whether the server takes it: 1 to 63 bytes. */
export const isName = (text: string): boolean =>
  text !== '' && !text.includes('\0') && Buffer.byteLength(text) <= NAME_BYTES_MAX
