import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import pg from 'pg'
import { z } from 'zod'

/** Something that an instance has written, and where. */
export type Written = { readonly where: string; readonly bytes: Buffer }

const Tables = z.array(z.object({ name: z.string() }))
const Lines = z.array(z.object({ line: z.string() }))

/** Every row of every table of a Postgres database, as text. */
export const inPostgres = async (url: string): Promise<readonly Written[]> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables
       where schemaname not in ('pg_catalog', 'information_schema')`,
    )
    const written: Written[] = []
    for (const { name } of Tables.parse(rows)) {
      const found = await client.query(`select t::text as line from ${name} t`)
      const bytes = Buffer.from(Lines.parse(found.rows).map(({ line }) => line).join('\n'))
      written.push({ where: `${new URL(url).pathname.slice(1)} ${name}`, bytes })
    }
    return written
  } finally {
    await client.end()
  }
}

/** Every row of every table of a MySQL database, as text. */
export const inMysql = async (url: string): Promise<readonly Written[]> => {
  const connection = await createConnection({ uri: url.replace(/^mariadb:/, 'mysql:') })
  try {
    const [tables] = await connection.query(
      'select table_name as name from information_schema.tables where table_schema = database()',
    )
    const written: Written[] = []
    for (const { name } of Tables.parse(tables)) {
      const [rows] = await connection.query(`select * from \`${name}\``)
      written.push({ where: `cmon ${name}`, bytes: Buffer.from(JSON.stringify(rows)) })
    }
    return written
  } finally {
    await connection.end()
  }
}

/** Every file under a folder, byte by byte. */
export const inFiles = (folder: string): readonly Written[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .flatMap((where) => {
      try {
        return [{ where, bytes: readFileSync(where) }]
      } catch {
        return [] // Gone between the two looks.
      }
    })

/** The arguments of every process of this machine, now. */
export const inArguments = (): readonly string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim()]
      } catch {
        return [] // Gone between the two looks.
      }
    })

/** Where one of the texts is found: as it is, or as the hexadecimal digits that a database shows bytes as. */
export const whereFound = (texts: Readonly<Record<string, string>>, written: readonly Written[]): readonly string[] =>
  written.flatMap(({ where, bytes }) =>
    Object.entries(texts).flatMap(([name, text]) =>
      [text, Buffer.from(text).toString('hex')].some((form) => bytes.includes(form)) ? [`${name} in ${where}`] : [],
    ),
  )
