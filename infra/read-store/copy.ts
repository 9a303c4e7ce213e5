import type { ClientBase, Connection } from 'pg'
import type { ColumnKind, Projection, Row } from '../../projections/projection.ts'
import { id, storable, tableName } from './rows.ts'

/** What the driver tells a query that it has submitted; see Message Flow, COPY, in PostgreSQL's protocol. */
type Copying = {
  readonly submit: (connection: Connection) => void
  readonly handleCopyInResponse: (connection: Connection) => void
  readonly handleCommandComplete: () => void
  readonly handleReadyForQuery: () => void
  readonly handleError: (error: Error) => void
}

const COPY_DATA = 'd'.charCodeAt(0)
const COPY_DONE = Buffer.from([...Buffer.from('c'), 0, 0, 0, 4])
/** A message's type is one byte, its length, which counts itself, four. */
const HEADER_BYTES = 5

/** The driver has no COPY of its own, but lets others speak on its connection while it waits for the answer. */
const copying = (statement: string, text: string, done: PromiseWithResolvers<void>): Copying => ({
  submit: (connection) => connection.query(statement),
  handleCopyInResponse: ({ stream }) => {
    const length = Buffer.byteLength(text)
    const message = Buffer.allocUnsafe(HEADER_BYTES + length)
    message.writeUInt8(COPY_DATA)
    message.writeUInt32BE(length + HEADER_BYTES - 1, 1)
    message.write(text, HEADER_BYTES)
    stream.write(message)
    stream.write(COPY_DONE)
  },
  handleCommandComplete: () => undefined,
  handleReadyForQuery: () => done.resolve(),
  handleError: (error) => done.reject(error),
})

const SPECIAL = /[\\\t\n\r]/g
const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }
const escaped = (text: string): string => text.replace(SPECIAL, (found) => ESCAPED[found] ?? found)

/** A value in COPY's text form. */
const copied = (value: Row[string] | undefined, kind: ColumnKind): string => {
  if (value === null || value === undefined) return '\\N'
  if (kind === 'json') return escaped(storable(value))
  return typeof value === 'string' ? escaped(value.toWellFormed().replaceAll('\0', '\u{FFFD}')) : JSON.stringify(value)
}

/**
 * Inserts rows that the table has not, by COPY.
 *
 * @throws what the database reports, as for any other statement; the transaction at hand has failed then
 */
export const copyRows = async (
  client: ClientBase,
  { schema, projection }: { readonly schema: string; readonly projection: Projection },
  rows: readonly Row[],
): Promise<void> => {
  if (rows.length === 0) return
  const columns = Object.entries(projection.columns)
  const lines = rows.map((row) => `${columns.map(([column, kind]) => copied(row[column], kind)).join('\t')}\n`)
  const list = columns.map(([column]) => id(column)).join(', ')
  const done = Promise.withResolvers<void>()
  client.query(copying(`copy ${tableName(schema, projection.table)} (${list}) from stdin`, lines.join(''), done))
  await done.promise
}
