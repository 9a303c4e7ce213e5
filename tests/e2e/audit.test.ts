// limit: 240 s
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { accountIdOf } from '../../command-handlers/ids.ts'
import { order, removed, started } from '../support/datastores.ts'
import { type Api, type RunningInstance, startInstance } from '../support/instance.ts'
import { until } from '../support/until.ts'

const test = suite('the audit trail of an instance')

const LOGIN = 'auditor@people.test'
const organisation = accountIdOf(LOGIN)
const CREATE = 'the-request-that-creates'
const DELETE = 'the-request-that-deletes'

let instance: RunningInstance
let api: Api
let folder: string

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ccx-audit-'))
  instance = await startInstance({ separate: false })
})
test.after(async () => {
  await instance?.down()
  await rm(folder, { recursive: true, force: true })
})

const Entry = z.object({
  n: z.int(),
  type: z.string(),
  request_id: z.string().nullable(),
  correlation_id: z.string(),
  command: z.string().nullable(),
  command_id: z.string(),
  actor: z.object({ kind: z.string(), id: z.string(), login: z.string().nullable(), address: z.string().nullable() }),
  entry: z.object({
    revision: z.int(),
    stream: z.string(),
    metadata: z.object({ organisationId: z.string(), causationId: z.string(), commandId: z.string() }),
  }),
})
type Entry = z.infer<typeof Entry>

const trail = async (): Promise<readonly Entry[]> => {
  const { body } = await api('/api/v1/audit?order=oldest&limit=500')
  const { entries, cursor } = z.object({ entries: z.array(Entry), cursor: z.null() }).parse(body)
  assert.is(cursor, null)
  return entries
}

test('has every event of a deployment and a deletion, each with who, why and on which request', async () => {
  const password = /^password: (\S+)$/m.exec(await instance.ccx('user', 'add', LOGIN))?.[1] ?? ''
  api = await instance.signIn({ login: LOGIN, password })
  const path = '/api/prov/api/v2/cluster'
  const made = await api(path, { method: 'POST', json: order({ name: 'audited', size: 1 }), headers: { 'X-Request-Id': CREATE } })
  const { uuid } = z.object({ uuid: z.uuid() }).parse(made.body)
  await started(api, uuid)
  assert.is((await api(`${path}/${uuid}`, { method: 'DELETE', headers: { 'X-Request-Id': DELETE } })).status, 200)
  await removed(api, uuid)
  const last = async (): Promise<boolean> => (await trail()).filter(({ type }) => type === 'JobEnded').length === 2
  await until(last, { withinMs: 20_000, what: 'the end of the deletion in the trail' })

  const entries = await trail()
  assert.equal(entries.map(({ n }) => n), entries.map((_, n) => n))
  const [registered, ...rest] = entries
  assert.equal([registered?.type, registered?.actor.kind], ['AccountRegistered', 'operator'])
  const requestOf = new Map(
    rest.flatMap(({ correlation_id, request_id }) => (request_id === null ? [] : [[correlation_id, request_id]])),
  )
  assert.equal([...requestOf.values()], [CREATE, DELETE])
  const commands = new Map(entries.flatMap(({ command, command_id }) => (command === null ? [] : [[command_id, command]])))
  for (const { type, correlation_id, command_id, actor, entry } of rest) {
    const what = `${type} at ${entry.stream}/${entry.revision}`
    assert.ok(requestOf.has(correlation_id), `${what} goes back to a request`)
    assert.ok(commands.has(command_id), `${what} was decided on a command`)
    assert.is(entry.metadata.organisationId, organisation, what)
    assert.ok(entry.metadata.causationId !== '' && actor.id !== '', what)
    if (actor.kind === 'user') assert.equal([actor.id, actor.login, actor.address], [organisation, LOGIN, '127.0.0.1'], what)
    else assert.is(actor.kind, 'system', what)
  }
  const kinds = ['DatastoreCreated', 'StepOrdered', 'StepSucceeded', 'JobFinished', 'DatastoreDeployed', 'DatastoreDeleted']
  for (const type of kinds) assert.ok(rest.some((entry) => entry.type === type), type)
})

test('has no event of the organisation missing that the log holds', async () => {
  const entries = await trail()
  for (const [stream, revisions] of Map.groupBy(entries, ({ entry }) => entry.stream)) {
    assert.equal(revisions.map(({ entry }) => entry.revision), revisions.map((_, n) => n), stream)
  }
})

test('is exported, and verified when nothing runs any more', async () => {
  const size = (await trail()).length
  const head = async (): Promise<number> => {
    const { body } = await api('/api/v1/audit/checkpoints?limit=1')
    return z.object({ checkpoints: z.tuple([z.object({ size: z.int() })]) }).parse(body).checkpoints[0].size
  }
  await until(async () => (await head()) === size, { withinMs: 20_000, what: 'the last entry being signed' })
  const [file, forged, key] = ['audit.jsonl', 'forged.jsonl', 'key.pem'].map((name) => join(folder, name))
  if (file === undefined || forged === undefined || key === undefined) return
  await instance.ccx('audit', 'export', '--organisation', LOGIN, '--out', file)
  await writeFile(key, await instance.ccx('audit', 'keys'))
  await instance.stop()
  const said = await instance.ccx('audit', 'verify', file, '--key', key)
  assert.match(said, new RegExp(`is what was signed: ${size} entries of ${organisation}`))
  await writeFile(forged, (await readFile(file, 'utf8')).replace(`"requestId":"${DELETE}"`, '"requestId":"another"'))
  const complaint = await instance.ccx('audit', 'verify', forged, '--key', key).catch((error: unknown) => String(error))
  assert.match(complaint, /ended with 1:[^]*is not what was signed: entry \d+ \(log position \d+\/\d+\) was changed/)
})

test.run()
