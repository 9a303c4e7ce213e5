import { mkdtemp, readFile, rm, symlink, writeFile, cp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { handle } from '../../command-handlers/handle.ts'
import { datastore } from '../../domain/datastore/datastore.ts'
import { job } from '../../domain/job/job.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { deciders } from '../../infra/rehearsal/deciders.ts'
import { type Release, releaseAt } from '../../infra/rehearsal/lockstep.ts'
import { isTrue, rehearse } from '../../infra/rehearsal/rehearse.ts'
import { datastores } from '../../projections/datastores.ts'
import { projections } from '../../projections/index.ts'
import type { Projection } from '../../projections/projection.ts'
import { sagas } from '../../sagas/index.ts'
import { exampleNodes, exampleSpec, noon } from '../support/examples.ts'
import { randomHistory, writer } from '../support/history.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore, startProjector } from '../support/read-store.ts'

const test = suite('a rehearsal')

const cause = (commandId: string) => {
  const actor = { kind: 'user', id: 'acc_1' } as const
  return { commandId, correlationId: commandId, causationId: commandId, actor }
}

/** Some datastores, two of them deployed, with the commands that were given; one job is still at work. */
const history = async () => {
  const store = memoryEventStore(() => noon)
  const send = handle({ store }, datastore, ({ data }) => `datastore-${data.datastoreId}`)
  const sendJob = handle({ store }, job(sagas), ({ data }) => `job-${data.jobId}`)
  for (const n of [1, 2, 3]) {
    const [datastoreId, jobId] = [`clu_${n}`, `job_${n}`]
    const spec = exampleSpec(2)
    const id = (step: number): string => `00000000-0000-4000-8000-00000000${n}00${step}`
    const about = { datastoreId, jobId, now: noon }
    await send({ type: 'CreateDatastore', data: { ...about, spec, fingerprint: 'f' } }, cause(id(1)))
    const input = { datastoreId, spec, nodes: [] }
    await sendJob({ type: 'StartJob', data: { jobId, kind: 'deploy-datastore', input, now: noon } }, cause(id(2)))
    const end = { end: 'finished', because: null, nodes: exampleNodes(2) } as const
    if (n < 3) await send({ type: 'RecordJobEnded', data: { ...about, ...end } }, cause(id(3)))
  }
  return store
}

const today: Release = { projections, deciders }

test('a release that is what it was finds nothing', async () => {
  const store = await history()
  const found = await rehearse({ store, candidate: today, live: undefined, against: today })
  assert.is(isTrue(found), true)
  assert.equal([found.decided, found.folded, found.unknown], [8, 0, 0])
  assert.equal(found.jobs, { open: 3, ended: 0 })
  assert.is(found.events, (await store.readAll({ after: 'start', prefixes: ['datastore-', 'job-'], limit: 1000 })).length)
})

test('what was written before commands were recorded is folded', async () => {
  const store = memoryEventStore(() => noon)
  const appends = randomHistory(40, { datastores: 10, moves: 400 })
  await writer(store)(appends)
  const found = await rehearse({ store, candidate: today, live: undefined })
  assert.is(isTrue(found), true)
  assert.equal([found.decided, found.folded], [0, appends.length])
  assert.ok(found.jobs.open > 0 && found.jobs.ended > 0)
})

/** The deciders, with another one for datastores. */
const withDatastores = (decide: typeof datastore.decide): Release['deciders'] => ({
  ...deciders,
  'datastore-': () => {
    const fold = deciders['datastore-']()
    const state = { now: datastore.initial }
    return {
      ...fold,
      decide: (command) => {
        const events = fold.decide(command)
        if (command.type !== 'RecordJobEnded' || !('events' in events)) return events
        const { datastoreId } = { datastoreId: '', ...command.data }
        if (datastoreId !== 'clu_2') return events
        const planted = decide({ type: 'DeleteDatastore', data: { datastoreId, jobId: 'planted', now: noon } }, state.now)
        return 'rejected' in planted ? { refused: planted.rejected } : { events: planted }
      },
    }
  },
})

test('a decider that decides otherwise is found at the first event that it would not have written', async () => {
  const store = await history()
  const refusing = withDatastores(datastore.decide)
  const found = await rehearse({ store, candidate: { projections, deciders: refusing }, live: undefined, against: today })
  assert.is(isTrue(found), false)
  assert.equal(
    found.divergences.map(({ event: { type, stream, revision }, instead }) => [type, stream, revision, instead]),
    [['DatastoreDeployed', 'datastore-clu_2', 3n, { refused: 'datastore-not-found' }]],
  )
  assert.is(found.against?.decisions?.length, 1)
})

test('a decider that leaves out an event, or adds one, is found', async () => {
  const store = await history()
  const changed = (change: (types: readonly string[]) => readonly number[]): Release => ({
    projections,
    deciders: {
      ...deciders,
      'datastore-': () => {
        const fold = deciders['datastore-']()
        return {
          ...fold,
          decide: (command) => {
            const decided = fold.decide(command)
            if (!('events' in decided)) return decided
            return { events: change(decided.events.map(({ type }) => type)).flatMap((n) => decided.events[n] ?? []) }
          },
        }
      },
    },
  })
  const less = await rehearse({ store, live: undefined, candidate: changed((types) => types.map((_, n) => n).slice(1)) })
  assert.equal([less.divergences[0]?.event.type, less.divergences.length], ['DatastoreCreated', 5])
  const more = await rehearse({ store, live: undefined, candidate: changed((types) => [...types.keys(), 0]) })
  const [added] = more.divergences
  assert.equal([added?.event.type, added?.recorded], ['JobAdmitted', 'no more events of this decision'])
})

/** A projection that says something else of one datastore once it is deployed. */
const planted = (version: number) =>
  projections.map((it): Projection =>
    it.name !== 'datastores'
      ? it
      : {
          ...it,
          version,
          keys: (event) => it.keys(event),
          apply: (row, event, key) => {
            const next = it.apply(row, event, key)
            return event.type === 'DatastoreDeployed' && key === 'clu_2' ? { ...next, port: 1 } : next
          },
        },
  )

test('a projection that folds otherwise is found at the event after which its row differs', async () => {
  const store = await history()
  const candidate = { projections: planted(datastores.version), deciders }
  const found = await rehearse({ store, candidate, live: undefined, against: today })
  assert.is(isTrue(found), false)
  assert.equal(
    found.against?.rows.map(({ projection, key, columns, event: { type, stream } }) => [projection, key, columns, type, stream]),
    [['datastores', 'clu_2', ['port'], 'DatastoreDeployed', 'datastore-clu_2']],
  )
})

test('live tables are compared with those that the release makes, and left as they are', async () => {
  const server = await startPostgres(['fsync=off'])
  const readStore = await emptyReadStore(server.url, 'rehearsal')
  const store = await history()
  const running = startProjector(store, readStore)
  await running.caughtUp
  const live = { pool: readStore.pool, schema: 'read' }
  const before = await readStore.pool.query('select * from read.datastores order by 1')
  assert.is(isTrue(await rehearse({ store, candidate: today, live })), true)
  const same = await rehearse({ store, candidate: { projections: planted(datastores.version), deciders }, live })
  assert.is(isTrue(same), false)
  const [table] = same.tables.filter(({ differences }) => differences.length > 0)
  assert.equal([table?.name, table?.comparison.columns, table?.event?.type], ['datastores', { port: 1 }, 'DatastoreDeployed'])
  assert.is(isTrue(await rehearse({ store, candidate: { projections: planted(datastores.version + 1), deciders }, live })), true)
  assert.equal((await readStore.pool.query('select * from read.datastores order by 1')).rows, before.rows)
  const { rows } = await readStore.pool.query(`select 1 from pg_namespace where nspname like '%rehearsal%'`)
  assert.equal(rows, [])
  await running.stop()
  await readStore.close()
  await server.stop()
})

test('another release is loaded from its folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ccx-release-'))
  try {
    const root = join(import.meta.dirname, '..', '..')
    for (const part of ['domain', 'sagas', 'projections', 'infra/rehearsal', 'package.json']) {
      await cp(join(root, part), join(folder, part), { recursive: true })
    }
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
    const file = join(folder, 'projections/datastores.ts')
    await writeFile(file, (await readFile(file, 'utf8')).replace("after(row, 'STARTED', null)", "after(row, 'DEPLOYING', null)"))
    const found = await rehearse({ store: await history(), candidate: today, live: undefined, against: await releaseAt(folder) })
    assert.equal(found.against?.decisions, [])
    assert.equal(found.against?.rows.map(({ columns, event: { type } }) => [columns, type]), [[['status'], 'DatastoreDeployed']])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test.run()
