import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Event } from '../../domain/kernel/decider.ts'
import { type EventStore, type NewEvent, type Position, isAfter } from '../../domain/kernel/event-store.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { readCheckpoints } from '../../infra/read-store/checkpoints.ts'
import { compare } from '../../infra/read-store/compare.ts'
import { readPosition } from '../../infra/read-store/position.ts'
import { rebuild } from '../support/rebuild.ts'
import { datastores } from '../../projections/datastores.ts'
import { projections } from '../../projections/index.ts'
import type { ColumnKind, Projection } from '../../projections/projection.ts'
import { exampleSpec, noon } from '../support/examples.ts'
import { randomHistory, writer } from '../support/history.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore, startProjector } from '../support/read-store.ts'
import { until } from '../support/until.ts'

const test = suite('the read models in Postgres')

const server = await startPostgres(['fsync=off'])
test.after(server.stop)

const LIMIT = { withinMs: 20_000 }
const WAIT_MS = 20_000
let databases = 0
const fresh = () => emptyReadStore(server.url, `read_store_${++databases}`)
type Fresh = Awaited<ReturnType<typeof fresh>>

const headOf = async (store: EventStore): Promise<Position> => {
  const head = await store.head()
  if (head === 'start') throw new Error('BUG: the log is empty')
  return head
}

const countOf = async ({ pool }: Fresh, table: string): Promise<number> => {
  const { rows } = await pool.query<{ count: number }>(`select count(*)::int as count from read.${table}`)
  return rows[0]?.count ?? 0
}

const hasReached = async ({ pool }: Fresh, position: Position): Promise<boolean> => {
  const known = await readCheckpoints(pool, 'read')
  return projections.every(({ name }) => {
    const at = known.get(name)?.position
    return at !== undefined && !isAfter(position, at)
  })
}

/** The proof that the live rows are those that the log makes. */
const assertRebuildEqualsLive = async (store: EventStore, readStore: Fresh): Promise<void> => {
  await rebuild({ store, readStore, projections, intoSchema: 'proof' })
  assert.equal(await compare(readStore.pool, projections, ['read', 'proof']), [])
}

const created = (id: string, name = 'orders'): Event => ({
  type: 'DatastoreCreated',
  data: { datastoreId: id, at: noon, fingerprint: 'f', spec: { ...exampleSpec(1), name } },
})
const newEvents = (id: string, ...events: readonly Event[]): readonly NewEvent[] =>
  events.map((event, n) => {
    const actor = { kind: 'user', id: 'acc_1' } as const
    const metadata = { commandId: id, correlationId: id, causationId: id, actor }
    return { ...event, id: `${id}-${n}`, metadata }
  })
const write = (store: EventStore, id: string, name?: string) =>
  store.append(`datastore-${id}`, newEvents(id, created(id, name)), { expected: 'absent' })

test('tables have the columns that their projections write', async () => {
  const readStore = await fresh()
  const kinds: Readonly<Record<string, ColumnKind>> = {
    text: 'text',
    integer: 'integer',
    boolean: 'boolean',
    'timestamp with time zone': 'time',
    jsonb: 'json',
  }
  for (const { table, columns } of projections) {
    const { rows } = await readStore.pool.query<{ name: string; type: string }>(
      `select column_name as name, data_type as type from information_schema.columns
       where table_schema = 'read' and table_name = $1`,
      [table],
    )
    assert.equal(Object.fromEntries(rows.map(({ name, type }) => [name, kinds[type]])), columns, table)
  }
  await readStore.close()
})

test('a rebuild from the log equals the live rows, for any history', async () => {
  for (const [seed, batchMax] of [[1, 7], [2, 100], [3, 2000]] as const) {
    const store = memoryEventStore(() => noon)
    const readStore = await fresh()
    const running = startProjector(store, readStore, { batchMax })
    await running.caughtUp
    await writer(store)(randomHistory(seed, { datastores: 10, moves: 1200 }))
    const head = await headOf(store)
    await until(() => hasReached(readStore, head), LIMIT)
    assert.ok((await countOf(readStore, 'jobs')) >= 10)
    await assertRebuildEqualsLive(store, readStore)
    await running.stop()
    assert.equal(running.complaints(), [])
    await readStore.close()
  }
})

test('rows that were written before they came to rest are taken up again', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  await writer(store)(randomHistory(6, { datastores: 300, moves: 30_000 }))
  await rebuild({ store, readStore, projections, intoSchema: 'whole' })
  // So few are kept in memory that nearly all are written and loaded again, more than once.
  await rebuild({ store, readStore, projections, intoSchema: 'piecemeal', heldMax: 3 })
  assert.equal(await compare(readStore.pool, projections, ['whole', 'piecemeal']), [])
  const { rows: [jobs] } = await readStore.pool.query('select count(*)::int as count from whole.jobs')
  assert.ok(jobs?.count > 100)
  await readStore.close()
})

test('a difference between live rows and the log is found', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  await write(store, 'clu_1')
  const running = startProjector(store, readStore)
  await running.caughtUp
  await readStore.pool.query(`update read.datastores set name = 'another'`)
  await rebuild({ store, readStore, projections, intoSchema: 'proof' })
  const found = await compare(readStore.pool, projections, ['read', 'proof'])
  assert.equal(found.map(({ table, onlyIn, row }) => [table, onlyIn, row['name']]), [
    ['datastores', 'read', 'another'],
    ['datastores', 'proof', 'orders'],
  ])
  await running.stop()
  await readStore.close()
})

test('a projector goes on where the one before it stopped', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  const history = randomHistory(4, { datastores: 10, moves: 900 })
  const append = writer(store)
  for (let part = 0; part < 4; part++) {
    const quarter = Math.ceil(history.length / 4)
    const running = startProjector(store, readStore, { batchMax: 20 })
    const written = append(history.slice(part * quarter, (part + 1) * quarter))
    // Some are stopped while there is still something to do.
    if (part % 2 === 0) await running.caughtUp
    await written
    await running.stop()
  }
  const last = startProjector(store, readStore)
  const head = await headOf(store)
  await until(() => hasReached(readStore, head), LIMIT)
  await assertRebuildEqualsLive(store, readStore)
  await last.stop()
  await readStore.close()
})

test('a projector whose connection breaks takes up its work again', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  const running = startProjector(store, readStore, { batchMax: 10 })
  await running.caughtUp
  const append = writer(store)
  const history = randomHistory(5, { datastores: 10, moves: 900 })
  for (let at = 0; at < history.length; at += 100) {
    await append(history.slice(at, at + 100))
    await readStore.pool.query(
      `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()
       and database = (select oid from pg_database where datname = current_database())`,
    )
  }
  const head = await headOf(store)
  await until(() => hasReached(readStore, head), LIMIT)
  assert.ok(running.complaints().length > 0)
  await assertRebuildEqualsLive(store, readStore)
  await running.stop()
  await readStore.close()
})

test('of two projectors one writes, and the other takes its place', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  const first = startProjector(store, readStore)
  await first.caughtUp
  const second = startProjector(store, readStore)
  await write(store, 'clu_1')
  await until(() => first.advances().length > 0, LIMIT)
  assert.is(second.advances().length, 0)
  await first.stop()
  const { position } = await write(store, 'clu_2')
  await until(() => hasReached(readStore, position), LIMIT)
  assert.ok(second.advances().length > 0)
  assert.is(await countOf(readStore, 'datastores'), 2)
  await second.stop()
  await readStore.close()
})

test('rows and checkpoints move together or not at all', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  const [one] = projections
  if (one === undefined) throw new Error('BUG: there is a projection')
  const faulty: Projection = {
    ...one,
    name: 'faulty',
    version: 1,
    keys: (event) => one.keys(event),
    apply: () => {
      throw new Error('planted')
    },
  }
  const first = await write(store, 'clu_1')
  const before = startProjector(store, readStore)
  await before.caughtUp
  await before.stop()
  await readStore.pool.query(
    `insert into read.checkpoints
     select 'faulty', 1, position_commit, position_prepare, now() from read.checkpoints limit 1`,
  )
  const running = startProjector(store, readStore, { projections: [...projections, faulty] })
  await write(store, 'clu_2')
  await until(() => running.complaints().length > 1, LIMIT)
  await running.stop()
  assert.is(await countOf(readStore, 'datastores'), 1)
  const known = await readCheckpoints(readStore.pool, 'read')
  const expected = [...projections, faulty].map(() => first.position)
  assert.equal([...known.values()].map(({ position }) => position), expected)
  await readStore.close()
})

test('a projection of another version is made anew, and its old rows are readable until then', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  await write(store, 'clu_1')
  const before = startProjector(store, readStore)
  await before.caughtUp
  await before.stop()
  await write(store, 'clu_2')
  const raised = projections.map((it): Projection =>
    it.name === 'datastores'
      ? {
          ...it,
          version: it.version + 1,
          keys: (event) => it.keys(event),
          apply: (row, event, key) => {
            const next = it.apply(row, event, key)
            return next === undefined ? undefined : { ...next, name: 'by the next version' }
          },
        }
      : it,
  )
  const gate = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const slow: EventStore = {
    ...store,
    readAll: async (options) => {
      asked.resolve()
      await gate.promise
      return store.readAll(options)
    },
  }
  const running = startProjector(slow, readStore, { projections: raised })
  await asked.promise
  const namesNow = async () => {
    const { rows } = await readStore.pool.query<{ name: string }>('select name from read.datastores order by 1')
    return rows.map(({ name }) => name)
  }
  assert.equal(await namesNow(), ['orders'])
  gate.resolve()
  await running.caughtUp
  assert.equal(await namesNow(), ['by the next version', 'by the next version'])
  assert.is((await readCheckpoints(readStore.pool, 'read')).get('datastores')?.version, datastores.version + 1)
  assert.is(await countOf(readStore, 'nodes'), 2)
  await running.stop()
  await readStore.close()
})

test('text that Postgres cannot hold does not stop the read models', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  const running = startProjector(store, readStore)
  await running.caughtUp
  const { position } = await write(store, 'clu_1', 'a\0b\ud800c\\u0000d')
  await until(() => hasReached(readStore, position), LIMIT)
  const { rows } = await readStore.pool.query<{ name: string }>('select name from read.datastores')
  assert.equal(rows, [{ name: 'a\ufffdb\ufffdc\\u0000d' }])
  await running.stop()
  await readStore.close()
})

test('who waits for his own write reads it', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  const position = readPosition({ url: readStore.url })
  const running = startProjector(store, readStore)
  await running.caughtUp
  for (let n = 1; n <= 20; n++) {
    const written = await write(store, `clu_${n}`)
    assert.is(await position.waitFor(written.position, WAIT_MS), true)
    assert.is(await countOf(readStore, 'datastores'), n)
  }
  await running.stop()
  await position.close()
  await readStore.close()
})

test('who waits in vain is told so', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  const position = readPosition({ url: readStore.url })
  const written = await write(store, 'clu_1')
  assert.is(await position.waitFor(written.position, 30), false)
  const waiting = position.waitFor(written.position, WAIT_MS)
  await position.close()
  assert.is(await waiting, false)
  await readStore.close()
})

test('nothing is known of how far read models have come as long as one of them is still to be made', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  const written = await write(store, 'clu_1')
  const running = startProjector(store, readStore)
  await running.caughtUp
  await running.stop()
  const names = projections.map(({ name }) => name)
  const position = readPosition({ url: readStore.url, names })
  assert.is(await position.waitFor(written.position, WAIT_MS), true)
  await position.close()
  await readStore.pool.query('delete from read.checkpoints where projection = $1', [names[0]])
  const again = readPosition({ url: readStore.url, names })
  assert.is(await again.waitFor(written.position, 600), false)
  await again.close()
  await readStore.close()
})

test('waiting outlives a broken connection', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  const errors: unknown[] = []
  const position = readPosition({ url: readStore.url, onError: (error) => errors.push(error) })
  const running = startProjector(store, readStore)
  const first = await write(store, 'clu_1')
  assert.is(await position.waitFor(first.position, WAIT_MS), true)
  await readStore.pool.query(`select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'ccx-read-position' and datname = current_database()`)
  await until(() => errors.length > 0, LIMIT)
  const second = await write(store, 'clu_2')
  assert.is(await position.waitFor(second.position, WAIT_MS), true)
  await running.stop()
  await position.close()
  await readStore.close()
})

test.run()
