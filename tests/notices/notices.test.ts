import { randomUUID } from 'node:crypto'
import { Kysely, PostgresDialect } from 'kysely'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { sendToDatastore } from '../../command-handlers/datastore-tools.ts'
import type { DatastoreCommand } from '../../domain/datastore/messages.ts'
import type { DatastoreSpec } from '../../domain/datastore/spec.ts'
import type { FailoverLearnt } from '../../domain/job/saga.ts'
import type { Mail } from '../../domain/kernel/mail.ts'
import { later } from '../../domain/kernel/time.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { NOTICES, type NoticesDb, noticesMigrations } from '../../infra/notices/migrations.ts'
import { teller } from '../../infra/notices/teller.ts'
import { connect } from '../../infra/read-store/connect.ts'
import { migrateToLatest } from '../../infra/read-store/migrate.ts'
import { ensureTables } from '../../infra/read-store/tables.ts'
import { projections } from '../../projections/index.ts'
import { READ_SCHEMA, type ReadSchema } from '../../projections/schema.ts'
import { exampleNodes, exampleSpec, noon } from '../support/examples.ts'
import { keptLog } from '../support/log.ts'
import { startMails } from '../support/mail-scene.ts'
import { until } from '../support/until.ts'

const test = suite('the mails about a datastore')
const withinMs = 20_000

let mails: Awaited<ReturnType<typeof startMails>>
let readStore: ReturnType<typeof connect<ReadSchema>>
let db: NoticesDb
const store = memoryEventStore(() => noon)
const put: Mail[] = []
const failing = { left: 0 }

test.before(async () => {
  mails = await startMails()
  readStore = connect<ReadSchema>(mails.url)
  await ensureTables(readStore.pool, { schema: READ_SCHEMA, projections })
  db = new Kysely({ dialect: new PostgresDialect({ pool: readStore.pool }) })
  await migrateToLatest(db, { schema: NOTICES, migrations: noticesMigrations })
})
test.after(async () => {
  await readStore.close()
  await mails.close()
})

/** A teller at work; its outbox keeps what is put for the first time, and fails now and then when told to. */
const started = () => {
  const stopping = new AbortController()
  const { signal } = stopping
  const { log } = keptLog()
  const ended = teller({
    store, db, pool: readStore.pool, read: readStore.db.withSchema(READ_SCHEMA), personal: mails.personal, signal, log,
    publicUrl: 'https://ccx.example',
    outbox: {
      put: async (mail) => {
        if (failing.left > 0 && failing.left-- % 2 === 0) throw new Error('the outbox is away')
        await mails.outbox.put(mail)
        put.push(mail)
        if (failing.left > 0) throw new Error('the answer of the outbox is lost')
      },
    },
  })
  return async () => {
    stopping.abort()
    await ended
  }
}
const isReady = async () => (await db.selectFrom('notices.checkpoint').selectAll().execute()).length === 1

const cause = () => {
  const commandId = randomUUID()
  return { commandId, correlationId: commandId, causationId: commandId, actor: { kind: 'system', id: 'test' } } as const
}
const send = (command: DatastoreCommand) => sendToDatastore({ store })(command, cause())

const specOf = async (emails: readonly string[], enabled = true): Promise<DatastoreSpec> => {
  const { ownerId, personal: { seal } } = mails
  const all = await Promise.all(emails.map((email) => seal(ownerId, email)))
  return { ...exampleSpec(2), ownerId, name: await seal(ownerId, 'shop'), notifications: { enabled, emails: all } }
}
const created = async (emails: readonly string[], enabled = true) => {
  const ids = { datastoreId: randomUUID(), jobId: randomUUID() }
  await send({ type: 'CreateDatastore', data: { ...ids, spec: await specOf(emails, enabled), fingerprint: 'f', now: noon } })
  return ids
}
const ended = (ids: { readonly datastoreId: string; readonly jobId: string }, end: 'finished' | 'failed') => {
  const nodes = end === 'finished' ? exampleNodes(2) : []
  const because = end === 'finished' ? null : 'no room in the region'
  return send({ type: 'RecordJobEnded', data: { ...ids, end, because, nodes, now: noon } })
}
const changed = async (datastoreId: string, readOnly: boolean) => {
  const jobId = randomUUID()
  const change = { kind: 'set-read-only', readOnly, because: 'its volumes are 92 % full' } as const
  await send({ type: 'ChangeDatastore', data: { datastoreId, jobId, change, now: noon } })
  return ended({ datastoreId, jobId }, 'finished')
}
const of = (datastoreId: string) => [
  ...new Map(put.filter(({ text }) => text.includes(datastoreId)).map((mail) => [mail.mailId, mail])).values(),
]
const subjects = (datastoreId: string) => of(datastoreId).map(({ to, subject }) => `${to}: ${subject}`)

test('tell nothing of what was before anybody told of anything', async () => {
  const old = await created(['a@example.com'])
  await ended(old, 'finished')
  const stop = started()
  await until(isReady, { withinMs })
  const ids = await created(['a@example.com', 'b@example.com'])
  await ended(ids, 'finished')
  await until(() => of(ids.datastoreId).length === 2, { withinMs })
  assert.equal(subjects(ids.datastoreId), ['a@example.com: shop is up', 'b@example.com: shop is up'])
  assert.equal(of(old.datastoreId), [])
  await stop()
})

test('say what failed and why, that writes stop and go on, and that it is gone; and nothing where they are off', async () => {
  const stop = started()
  const silent = await created(['c@example.com'], false)
  await ended(silent, 'failed')
  const failed = await created(['c@example.com'])
  await ended(failed, 'failed')
  const full = await created(['c@example.com'])
  await ended(full, 'finished')
  await changed(full.datastoreId, true)
  await changed(full.datastoreId, false)
  const jobId = randomUUID()
  await send({ type: 'DeleteDatastore', data: { datastoreId: full.datastoreId, jobId, now: noon } })
  await ended({ datastoreId: full.datastoreId, jobId }, 'finished')
  await until(() => of(full.datastoreId).length === 4, { withinMs })
  assert.equal(subjects(failed.datastoreId), ['c@example.com: shop could not be deployed'])
  assert.match(of(failed.datastoreId)[0]?.text ?? '', /Why: no room in the region/)
  assert.equal(subjects(full.datastoreId), [
    'c@example.com: shop is up', 'c@example.com: shop takes no writes any more', 'c@example.com: shop takes writes again',
    'c@example.com: shop is deleted',
  ])
  assert.equal(of(silent.datastoreId), [])
  await stop()
})

test('go to the owner where nobody is named, and tell of a job that does not get on once', async () => {
  const { ownerId, personal } = mails
  const login = await personal.seal(ownerId, 'Owner@example.com')
  const standing = { to_confirm: false, suspended: false, deleted: false }
  const row = { account_id: ownerId, login, first_name: login, last_name: login, is_admin: false, created_at: noon, ...standing }
  await readStore.db.withSchema(READ_SCHEMA).insertInto('accounts').values(row).execute()
  const stop = started()
  const { datastoreId, jobId } = await created([])
  const about = { jobId, datastoreId, at: noon, step: 'boot', key: 'all', course: 'back', because: 'the cloud is away' }
  const needed = () => ({ id: randomUUID(), type: 'AttentionNeeded', data: about, metadata: cause() })
  await store.append(`job-${jobId}`, [needed(), needed()], { expected: 'absent' })
  await ended({ datastoreId, jobId }, 'finished')
  await until(() => of(datastoreId).length >= 2, { withinMs })
  assert.equal(subjects(datastoreId), ['Owner@example.com: shop a job does not get on', 'Owner@example.com: shop is up'])
  await stop()
})

test('tell once of an upgrade that begins, of each of its jobs that failed, and of its end', async () => {
  const stop = started()
  const ids = await created(['u@example.com'])
  await ended(ids, 'finished')
  const { datastoreId } = ids
  const correlationId = randomUUID()
  const upgrade = async (nodeId: string, n: number) => {
    const jobId = randomUUID()
    const { nodes: [node] } = exampleSpec(1)
    if (node === undefined) throw new Error('the example has no node')
    const change = { kind: 'upgrade-node', nodeId, replacement: { ...node, nodeId: `new_${n}`, name: `db-new${n}` } } as const
    const command = { type: 'ChangeDatastore', data: { datastoreId, jobId, change, now: noon } } as const
    const outcome = await sendToDatastore({ store })(command, { ...cause(), correlationId })
    assert.not.ok('rejection' in outcome)
    return { datastoreId, jobId }
  }
  const first = await upgrade('nod_2', 2)
  const second = await upgrade('nod_1', 1)
  await ended(first, 'failed')
  await ended(second, 'finished')
  await until(() => of(datastoreId).length === 4, { withinMs })
  assert.equal(of(datastoreId).map(({ subject }) => subject), [
    'shop is up', 'shop is being upgraded', 'shop “upgrade node” failed', 'shop is done with its upgrade',
  ])
  assert.match(of(datastoreId)[1]?.text ?? '', /Why: Its maintenance window is open/)
  await stop()
})

test('tell of another primary or none, of nodes lost, back and replaced, and of a server started again', async () => {
  const stop = started()
  const ids = await created(['f@example.com'])
  await ended(ids, 'finished')
  const { datastoreId } = ids
  const at = (seconds: number) => later(noon, seconds * 1_000)
  const about = (nodeId: string, seconds: number) => {
    const now = at(seconds)
    return { datastoreId, jobId: randomUUID(), nodeId, observedAt: now, now }
  }
  const unreachable = async (primaryId: string, epoch: number, seconds: number) => {
    const seen = { primaryId, epoch, lastSeenAt: at(seconds - 2), because: 'it is silent', positionBytes: 5_000 }
    const { nodeId: _, ...rest } = about(primaryId, seconds)
    await send({ type: 'ReportPrimaryUnreachable', data: { ...rest, ...seen } })
    return { datastoreId, jobId: rest.jobId }
  }
  const over = (job: typeof ids, seconds: number, failover?: FailoverLearnt) => {
    const end = failover === undefined ? 'failed' : 'finished'
    const how = { end, because: 'no fence', nodes: exampleNodes(2), ...(failover === undefined ? {} : { failover }) } as const
    return send({ type: 'RecordJobEnded', data: { ...job, ...how, now: at(seconds) } })
  }
  const well = (nodeId: string, seconds: number) => send({ type: 'ReportNodeWell', data: about(nodeId, seconds) })
  const silent = async (nodeId: string, seconds: number, since: number) => {
    const fresh = { nodeId: randomUUID(), name: 'db-new' }
    const data = { ...about(nodeId, seconds), since: at(since), machineAnswers: false, fresh }
    await send({ type: 'ReportNodeSilent', data })
    return { datastoreId, jobId: data.jobId }
  }
  const learnt = { fencedBy: 'powered-off', elected: 'nod_2', positions: { nod_2: 4_000 }, writesBackAt: at(13) } as const
  await over(await unreachable('nod_1', 1, 10), 14, learnt)
  await well('nod_1', 40)
  const highAvailability = { prefer: 'consistency', repairAfterSeconds: 30, lagMaxBytes: 1, failoversPerHourMax: 1 } as const
  await send({ type: 'ChangeSettings', data: { datastoreId, settings: { highAvailability }, now: at(41) } })
  await unreachable('nod_2', 2, 42)
  await well('nod_2', 43)
  await over(await unreachable('nod_2', 2, 60), 65)
  await well('nod_2', 70)
  await over(await silent('nod_1', 110, 100), 115)
  await silent('nod_1', 140, 100)
  const role = 'primary'
  await send({
    type: 'RecordServerRestart', data: { datastoreId, nodeId: 'nod_2', role, downSince: at(150), backAt: at(152), now: at(152) },
  })
  await until(() => of(datastoreId).length === 10, { withinMs })
  assert.equal(subjects(datastoreId).map((subject) => subject.replace('f@example.com: shop ', '')), [
    'is up', 'has another primary', 'has a lost node back', 'takes no writes, and is left alone for now', 'has its primary back',
    'has lost its primary, and no replica could take its place', 'has its primary back', 'has lost a node',
    'has lost a node, which is being replaced', 'had its primary started again',
  ])
  const [, primary = '', node = '', hold = '', , vain = '', back = '', lost = '', , restart = ''] =
    of(datastoreId).map(({ text }) => text)
  assert.match(primary, `Writes were not taken for 5.0 s at most, from ${at(8)} on. Of what was written last, at most 1000 bytes`)
  assert.match(primary, 'Why: it is silent')
  assert.match(node, 'does its part again, after 32.0 s.')
  assert.match(hold, `no replica takes its place by itself before ${at(44)}.`)
  assert.match(vain, 'Why: no fence')
  assert.match(back, `lost at ${at(58)}, answers again. No other node has taken its place`)
  assert.match(lost, `does not do its part since ${at(100)}`)
  assert.match(restart, `It did not answer for 2.0 s at most, from ${at(150)} on.`)
  await stop()
})

test('are put once for each event and address, however often the teller and the outbox die', async () => {
  const ids: string[] = []
  failing.left = 7
  for (let n = 0; n < 6; n++) {
    const stop = started()
    const made = await created(['d@example.com', 'e@example.com'])
    await ended(made, n % 2 === 0 ? 'finished' : 'failed')
    ids.push(made.datastoreId)
    await stop()
  }
  const stop = started()
  await until(() => ids.every((id) => of(id).length === 2), { withinMs })
  await stop()
  const { rows } = await readStore.pool.query('select count(*)::int as mails from mail.outbox')
  assert.equal(rows, [{ mails: new Set(put.map(({ mailId }) => mailId)).size }])
  for (const id of ids) assert.equal(of(id).map(({ to }) => to).toSorted(), ['d@example.com', 'e@example.com'])
})

test.run()
