import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { EventStore, Position } from '../../domain/kernel/event-store.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { readCheckpoints } from '../../infra/read-store/checkpoints.ts'
import { compare } from '../../infra/read-store/compare.ts'
import { rebuild } from '../support/rebuild.ts'
import { renew, standings, swapBack } from '../../infra/read-store/renew.ts'
import { projections } from '../../projections/index.ts'
import { PREFIXES } from '../../projections/known-event.ts'
import type { Projection, Row } from '../../projections/projection.ts'
import { noon } from '../support/examples.ts'
import { rowsAfter } from '../support/folding.ts'
import { type Append, randomHistory, writer } from '../support/history.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore, startProjector } from '../support/read-store.ts'
import { until } from '../support/until.ts'

const test = suite('read models made anew beside the live ones')

const server = await startPostgres(['fsync=off'])
test.after(server.stop)

const LIMIT = { withinMs: 30_000 }
const schema = 'read'
let databases = 0
const fresh = () => emptyReadStore(server.url, `renew_${++databases}`)
type Fresh = Awaited<ReturnType<typeof fresh>>

const found = (name: string): Projection => {
  const projection = projections.find((it) => it.name === name)
  if (projection === undefined) throw new Error(`BUG: there is no projection ${name}`)
  return projection
}
const datastores = found('datastores')

const headOf = async (store: EventStore): Promise<Position> => {
  const head = await store.head()
  if (head === 'start') throw new Error('BUG: the log is empty')
  return head
}

const assertIsTheLog = async (store: EventStore, readStore: Fresh, of = projections): Promise<void> => {
  await rebuild({ store, readStore, projections: of, intoSchema: 'proof' })
  assert.equal(await compare(readStore.pool, of, [schema, 'proof']), [])
}

const namesIn = async ({ pool }: Fresh): Promise<readonly string[]> => {
  const { rows } = await pool.query<{ name: string }>('select distinct name from read.datastores order by 1')
  return rows.map(({ name }) => name)
}

/** Another version of a projection, whose rows tell it. */
const nextVersion = ({ ...one }: Projection): Projection => ({
  ...one,
  version: one.version + 1,
  keys: (event) => one.keys(event),
  apply: (row, event, key) => {
    const next = one.apply(row, event, key)
    return next === undefined ? undefined : { ...next, name: 'by the next version' }
  },
})
const withNext = projections.map((it) => (it === datastores ? nextVersion(it) : it))

/** Every row of the datastores that was ever the truth, as text. */
const truths = async (store: EventStore): Promise<ReadonlySet<string>> => {
  const texts = new Set<string>()
  let rows: ReadonlyMap<string, Row> = new Map()
  for (const event of await store.readAll({ after: 'start', prefixes: PREFIXES, limit: Infinity })) {
    rows = rowsAfter(datastores, [event], rows)
    if (event.stream.startsWith('datastore-')) for (const row of rows.values()) texts.add(textOf(row))
  }
  return texts
}
const textOf = (row: Row): string => JSON.stringify([row['datastore_id'], row['status'], row['status_reason']])

/** Reads the live table as fast as it answers. */
const reading = ({ pool }: Fresh) => {
  const stopping = new AbortController()
  const seen = new Set<string>()
  const failures: unknown[] = []
  let reads = 0
  let longestMs = 0
  const ended = (async () => {
    for (let lines = 0; !stopping.signal.aborted; reads++) {
      const began = performance.now()
      try {
        const { rows } = await pool.query<Row>('select datastore_id, status, status_reason from read.datastores')
        for (const row of rows) seen.add(textOf(row))
        const { rows: [line] } = await pool.query<{ count: number }>('select count(*)::int as count from read.job_log')
        if (line === undefined || line.count < lines) failures.push(`lines went from ${lines} to ${line?.count}`)
        lines = line?.count ?? lines
      } catch (error) {
        failures.push(error)
      }
      longestMs = Math.max(longestMs, performance.now() - began)
    }
  })()
  return {
    stop: async () => {
      stopping.abort()
      await ended
      return { seen, failures, reads, longestMs }
    },
  }
}

/** Writes one history after the other until it is told to stop. */
const writing = (store: EventStore, { pool }: Fresh, historyOf: (n: number) => readonly Append[]) => {
  const append = writer(store)
  let stopped = false
  let at = 0
  const ended = (async () => {
    for (let n = 0; !stopped; n++) {
      const history = historyOf(n)
      for (let from = 0; from < history.length && !stopped; from += 5, at += 5) {
        await append(history.slice(from, from + 5))
        // As slowly as a database answers.
        await pool.query('select')
      }
    }
  })()
  return {
    written: () => at,
    stop: async () => {
      stopped = true
      await ended
    },
  }
}

test('a rebuild under load is never seen by a reader, and its rows are those of the log', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  await writer(store)(randomHistory(21, { datastores: 40, moves: 4_000 }))
  const running = startProjector(store, readStore, { batchMax: 50 })
  await running.caughtUp
  const readers = [reading(readStore), reading(readStore)]
  const load = writing(store, readStore, (n) => randomHistory(22 + 1_000 * n, { datastores: 300, moves: 40_000 }))
  await until(() => load.written() > 50, LIMIT)
  for (let round = 0; round < 2; round++) {
    const before = load.written()
    const renewed = await renew({ store, pool: readStore.pool, schema, projections, accept: false, swap: true })
    assert.equal(renewed.map(({ name, outcome }) => [name, outcome]), projections.map(({ name }) => [name, 'swapped']))
    assert.ok(load.written() > before, `nothing was written after ${before}`)
  }
  const back = await swapBack({ store, pool: readStore.pool, schema, projections }, datastores)
  assert.ok(back >= 0)
  await load.stop()
  const head = await headOf(store)
  await until(() => running.advances().some(({ commit }) => commit >= head.commit), LIMIT)
  const known = await truths(store)
  for (const reader of readers) {
    const { seen, failures, reads } = await reader.stop()
    assert.equal(failures, [])
    assert.ok(reads > 10, `only ${reads} reads`)
    assert.equal([...seen].filter((text) => !known.has(text)), [])
  }
  await assertIsTheLog(store, readStore)
  await running.stop()
  assert.equal(running.complaints(), [])
  await readStore.close()
})

test('rows of the same version that differ are told, and swapped only when that is accepted', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  await writer(store)(randomHistory(23, { datastores: 10, moves: 500 }))
  const running = startProjector(store, readStore)
  await running.caughtUp
  await readStore.pool.query(`update read.datastores set name = 'another', port = 1`)
  const options = { store, pool: readStore.pool, schema, projections: [datastores], swap: true }
  const [refused] = await renew({ ...options, accept: false })
  const count = refused?.comparison.rows
  assert.is(refused?.outcome, 'rows-differ')
  assert.equal(refused?.comparison.columns, { name: count, port: count })
  assert.equal(await namesIn(readStore), ['another'])
  const [accepted] = await renew({ ...options, accept: true })
  assert.is(accepted?.outcome, 'swapped')
  await assertIsTheLog(store, readStore)
  await running.stop()
  await readStore.close()
})

test('a table that was swapped out can be swapped in again, with all that happened since', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  const append = writer(store)
  const history = randomHistory(24, { datastores: 10, moves: 900 })
  await append(history.slice(0, 200))
  const running = startProjector(store, readStore)
  await running.caughtUp
  const options = { store, pool: readStore.pool, schema, projections }
  await assertRejects(swapBack(options, datastores), /there is no previous table/)
  await renew({ ...options, accept: false, swap: true })
  await append(history.slice(200))
  const head = await headOf(store)
  await until(() => running.advances().some(({ commit }) => commit >= head.commit), LIMIT)
  for (let round = 0; round < 2; round++) {
    for (const projection of projections) await swapBack(options, projection)
    await assertIsTheLog(store, readStore)
  }
  const [standing] = await standings(readStore.pool, options)
  assert.equal([standing?.live?.position, standing?.next], [head, undefined])
  assert.ok(standing?.previous !== undefined)
  await running.stop()
  await readStore.close()
})

test('another version stands by until the one before it ends, which takes up its own when it comes back', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  const append = writer(store)
  const history = randomHistory(25, { datastores: 10, moves: 900 })
  await append(history.slice(0, 200))
  const old = startProjector(store, readStore)
  await old.caughtUp
  const next = startProjector(store, readStore, { projections: withNext })
  // Ready, although the old one is at work.
  await next.caughtUp
  await append(history.slice(200, 300))
  const middle = await headOf(store)
  await until(() => old.advances().some(({ commit }) => commit >= middle.commit), LIMIT)
  assert.ok(!(await namesIn(readStore)).includes('by the next version'))
  await old.stop()
  await until(async () => (await namesIn(readStore)).join() === 'by the next version', LIMIT)
  await append(history.slice(300))
  const head = await headOf(store)
  await until(() => next.advances().some(({ commit }) => commit >= head.commit), LIMIT)
  await assertIsTheLog(store, readStore, withNext)
  await next.stop()

  const reads: (Position | 'start')[] = []
  const watched: EventStore = {
    ...store,
    readAll: async (options) => {
      reads.push(options.after)
      return store.readAll(options)
    },
  }
  const again = startProjector(watched, readStore)
  await again.caughtUp
  // Caught up is also who stands by: the server may take a moment to see that the one before has gone.
  await until(async () => !(await namesIn(readStore)).includes('by the next version'), LIMIT)
  assert.ok(reads.length > 0 && !reads.includes('start'), 'it was made anew')
  await assertIsTheLog(store, readStore)
  await again.stop()
  await readStore.close()
})

test('another version is not swapped in under a projector that would go on in its own', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  await writer(store)(randomHistory(26, { datastores: 10, moves: 500 }))
  const running = startProjector(store, readStore)
  await running.caughtUp
  const options = { store, pool: readStore.pool, schema, projections: [nextVersion(datastores)], accept: false, swap: true }
  const [refused] = await renew(options)
  assert.equal([refused?.outcome, Object.keys(refused?.comparison.columns ?? {})], ['another-version-at-work', ['name']])
  await running.stop()
  await until(async () => (await renew(options))[0]?.outcome === 'swapped', LIMIT)
  assert.is((await readCheckpoints(readStore.pool, schema)).get('datastores')?.version, datastores.version + 1)
  assert.equal(await namesIn(readStore), ['by the next version'])
  await readStore.close()
})

test('a table that somebody holds on to is swapped when he lets go, and others can read until then', async () => {
  const store = memoryEventStore(() => noon)
  const readStore = await fresh()
  await writer(store)(randomHistory(27, { datastores: 10, moves: 500 }))
  const running = startProjector(store, readStore)
  await running.caughtUp
  const holder = await readStore.pool.connect()
  await holder.query('begin; select from read.datastores')
  let done = false
  const renewing = renew({
    store, pool: readStore.pool, schema, projections: [datastores], accept: false, swap: true,
  }).finally(() => {
    done = true
  })
  for (let reads = 0; reads < 50; reads++) assert.ok((await namesIn(readStore)).length > 0)
  assert.is(done, false)
  await holder.query('commit')
  holder.release()
  assert.is((await renewing)[0]?.outcome, 'swapped')
  await running.stop()
  await readStore.close()
})

const assertRejects = async (promise: Promise<unknown>, message: RegExp): Promise<void> => {
  const failure = await promise.then(
    () => 'nothing was thrown',
    (error: unknown) => String(error),
  )
  assert.match(failure, message)
}

test.run()
