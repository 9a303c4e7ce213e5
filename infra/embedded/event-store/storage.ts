import pg from 'pg'
import { z } from 'zod'
import { type LogRecord, TOMBSTONE } from './record.ts'
import { together } from './together.ts'

const SCHEMA = `
create schema if not exists event_store;
create table if not exists event_store.events (
  position     bigint primary key,
  stream       text collate "C" not null,
  revision     bigint not null,
  id           uuid not null,
  type         text not null,
  content_type text not null,
  created      bigint not null,
  data         bytea not null,
  metadata     bytea not null,
  unique (stream, revision)
);`

const COLUMNS = 'position, stream, revision, id, type, content_type, created, data, metadata'

const INSERT = `
insert into event_store.events (${COLUMNS})
select * from unnest(
  $1::bigint[], $2::text[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::bigint[], $8::bytea[], $9::bytea[])`

/** Any number will do, as long as nothing else in the database locks it. */
const WRITER_LOCK = 7_351_002_113

/** On disk a tombstone stands behind every other event of its stream. */
const TOMBSTONE_ON_DISK = '9223372036854775807'

export type StreamHead = { readonly revision: number; readonly position: number }

/** The last event of a stream, and the last one of the stream that holds its metadata. */
export type StreamEnds = {
  readonly events: StreamHead | undefined
  readonly metadata: (StreamHead & Pick<LogRecord, 'contentType' | 'data'>) | undefined
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** The log on disk: append a batch, scan from a position, read a range of a stream, look up a head. */
export type Storage = {
  /** Writes all records in one transaction, durably. Called by one writer, one call at a time. */
  readonly insert: (records: readonly LogRecord[]) => Promise<void>
  readonly headOf: (stream: string) => Promise<StreamHead | undefined>
  readonly endsOf: (stream: string) => Promise<StreamEnds>
  /** The first revision from `from` on that was written at `sinceTicks` (100 ns ticks since 1970) or later. */
  readonly firstSince: (stream: string, from: number, sinceTicks: bigint) => Promise<number | undefined>
  /** The last event of the log. */
  readonly last: () => Promise<LogRecord | undefined>
  /** Up to `max` events of a stream from `from` on (inclusive), upwards or downwards. */
  readonly scanStream: (stream: string, from: number, max: number, backward: boolean) => Promise<readonly LogRecord[]>
  /** Up to `max` events: upwards from `from` (inclusive), or downwards from before `from`. */
  readonly scanAll: (from: number, max: number, backward: boolean) => Promise<readonly LogRecord[]>
  readonly close: () => Promise<void>
}

const Revision = z.string().transform((it) => (it === TOMBSTONE_ON_DISK ? TOMBSTONE : Number(it)))
const Row = z.tuple([
  z.coerce.number().int(), z.string(), Revision, z.string(), z.string(), z.string(), z.string(),
  z.instanceof(Buffer), z.instanceof(Buffer),
])
const Rows = z.array(Row)
const Locked = z.tuple([z.object({ locked: z.boolean() })])
const Heads = z.array(z.tuple([Revision, z.coerce.number().int()]))
const Ends = z.array(z.tuple([
  z.coerce.number().int(), z.boolean(), Revision, z.coerce.number().int(), z.string(), z.instanceof(Buffer),
]))
const Revisions = z.array(z.tuple([Revision]))

const recordOf = (row: z.infer<typeof Row>): LogRecord => ({
  position: row[0], stream: row[1], revision: row[2], id: row[3], type: row[4], contentType: row[5],
  createdTicks: row[6], data: row[7], metadata: row[8],
})

const takeWriterLock = async (writer: pg.Client, waitMs: number): Promise<void> => {
  const deadline = performance.now() + waitMs
  for (;;) {
    const { rows } = await writer.query(`select pg_try_advisory_lock(${WRITER_LOCK}) as locked`)
    if (Locked.parse(rows)[0].locked) return
    if (performance.now() > deadline) throw new Error('another event store writes to this database')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** Postgres arrays of bytea in text form; node's own conversion escapes every element once more. */
const byteaArray = (buffers: readonly Buffer[]): string =>
  `{${buffers.map((it) => `"\\\\x${it.toString('hex')}"`).join(',')}}`

const ENDS = `
select asked.number, found.* from unnest($1::text[]) with ordinality as asked(stream, number), lateral (
  (select false, revision, position, '', ''::bytea
   from event_store.events where stream = asked.stream order by revision desc limit 1)
  union all
  (select true, revision, position, content_type, data
   from event_store.events where stream = '$$' || asked.stream order by revision desc limit 1)
) as found`

/** How many streams are looked up at once. */
const ENDS_MAX = 500

const FIRST_SINCE = `
select revision from event_store.events
where stream = $1 and revision >= $2 and created >= $3 order by revision limit 1`

const scans = (pool: pg.Pool): Omit<Storage, 'insert' | 'close'> => {
  const ask = async (name: string, text: string, values: readonly unknown[]): Promise<unknown[]> =>
    (await pool.query({ name, text, values: [...values], rowMode: 'array' })).rows
  const records = async (name: string, where: string, values: readonly unknown[]): Promise<readonly LogRecord[]> =>
    Rows.parse(await ask(name, `select ${COLUMNS} from event_store.events ${where}`, values)).map(recordOf)
  return {
    headOf: async (stream) => {
      const sql = 'select revision, position from event_store.events where stream = $1 order by revision desc limit 1'
      const [head] = Heads.parse(await ask('head', sql, [stream]))
      return head === undefined ? undefined : { revision: head[0], position: head[1] }
    },
    endsOf: together(async (streams) => {
      const ends: Writable<StreamEnds>[] = streams.map(() => ({ events: undefined, metadata: undefined }))
      for (const [number, isMetadata, revision, position, contentType, data] of Ends.parse(await ask('ends', ENDS, [streams]))) {
        const end = ends[number - 1]
        if (end === undefined) continue
        if (isMetadata) end.metadata = { revision, position, contentType, data }
        else end.events = { revision, position }
      }
      return ends
    }, ENDS_MAX),
    firstSince: async (stream, from, sinceTicks) =>
      Revisions.parse(await ask('first-since', FIRST_SINCE, [stream, from, sinceTicks]))[0]?.[0],
    last: async () => (await records('last', 'order by position desc limit 1', []))[0],
    scanStream: (stream, from, max, backward) => {
      const values = [stream, from, max]
      return backward
        ? records('stream-down', 'where stream = $1 and revision <= $2 order by revision desc limit $3', values)
        : records('stream-up', 'where stream = $1 and revision >= $2 order by revision limit $3', values)
    },
    scanAll: (from, max, backward) =>
      backward
        ? records('all-down', 'where position < $1 order by position desc limit $2', [from, max])
        : records('all-up', 'where position >= $1 order by position limit $2', [from, max]),
  }
}

/**
 * Opens the log in a Postgres database, making its schema if need be, and takes the lock that lets one process write.
 *
 * @param options.databaseUrl postgres://… with user and password
 * @param options.lockWaitMs how long to wait for a predecessor that has just died and whose session Postgres has yet to
 *   end
 * @param options.onLost called once when the writer's connection, and with it the lock, is gone
 * @throws when Postgres does not answer or another process holds the lock
 */
export const postgresStorage = async ({ databaseUrl, lockWaitMs, onLost }: {
  readonly databaseUrl: string
  readonly lockWaitMs: number
  readonly onLost: (cause: Error) => void
}): Promise<Storage> => {
  const connection = { connectionString: databaseUrl, application_name: 'event-store', keepAlive: true }
  const writer = new pg.Client(connection)
  let closing = false
  const lost = (cause: Error): void => {
    if (closing) return
    closing = true
    onLost(new Error('the connection that holds the writer lock is gone', { cause }))
  }
  writer.on('error', lost)
  writer.on('end', () => lost(new Error('Postgres ended the session')))
  await writer.connect()
  const pool = new pg.Pool({ ...connection, max: 4 })
  // A connection that dies while idle is replaced by the pool; the call that needs one sees the error itself.
  pool.on('error', () => undefined)
  const close = async (): Promise<void> => {
    closing = true
    await Promise.allSettled([writer.end(), pool.end()])
  }
  try {
    await takeWriterLock(writer, lockWaitMs)
    await writer.query('set synchronous_commit = on')
    await writer.query(SCHEMA)
  } catch (error) {
    await close()
    throw error
  }
  return {
    ...scans(pool),
    close,
    insert: async (records) => {
      const column = <T>(pick: (record: LogRecord) => T): T[] => records.map(pick)
      await writer.query({
        name: 'insert',
        text: INSERT,
        values: [
          column((it) => it.position), column((it) => it.stream),
          column((it) => (it.revision === TOMBSTONE ? TOMBSTONE_ON_DISK : it.revision)), column((it) => it.id),
          column((it) => it.type), column((it) => it.contentType), column((it) => it.createdTicks),
          byteaArray(column((it) => it.data)), byteaArray(column((it) => it.metadata)),
        ],
      })
    },
  }
}
