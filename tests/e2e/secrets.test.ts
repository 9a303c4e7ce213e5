// limit: 300 s
import { randomBytes, randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { required } from '../../infra/config.ts'
import { masterKey } from '../../infra/secrets/master-key.ts'
import { sealedSecrets } from '../../infra/secrets/sealed.ts'
import { startCollector } from '../support/collector.ts'
import { datastoreOf, order, remove, removed, started } from '../support/datastores.ts'
import { inArguments, inFiles, inMysql, inPostgres, whereFound, type Written } from '../support/everything-written.ts'
import { type RunningInstance, startInstance } from '../support/instance.ts'
import { until } from '../support/until.ts'

const test = suite('what an instance tells of itself')

const SERVICES = [
  'ccx-rest', 'ccx-auth-service', 'ccx-runner-service', 'ccx-deployer', 'cmon-master', 'ccx-projector',
  'ccx-notifier',
] as const
const TRACE = randomBytes(16).toString('hex')

const collector = await startCollector()
const seenArguments = new Set<string>()
const seenMessages = new Set<string>()
/** What must be nowhere, by what it is. */
const secrets: Record<string, string> = {}
let instance: RunningInstance
let ports: Readonly<Record<string, number>>
let datastoreId: string

/** A line from the middle of a key: the first ones are the same for all keys. */
const middleOf = (pem: string): string => {
  const lines = pem.trim().split('\n')
  return lines[Math.floor(lines.length / 2)] ?? pem
}

const eventStoreDbUrl = (): string => {
  const password = readFileSync(join(instance.stateDir, 'secrets', 'postgres-eventstore'), 'utf8').trim()
  const url = new URL(instance.ccxDbUrl)
  Object.assign(url, { username: 'eventstore', password, pathname: '/eventstore' })
  return url.href
}

/** Opens what is sealed for the datastore, as the controller does. */
const sealedOnes = async (): Promise<Readonly<Record<string, string>>> => {
  const Sealed = z.array(z.object({ owner_id: z.string(), name: z.string() }))
  const pool = new pg.Pool({ connectionString: instance.ccxDbUrl })
  try {
    const key = await masterKey(required(instance.config.masterKeyFile, 'MASTER_KEY_FILE'))
    const { open } = sealedSecrets({ pool, masterKey: key })
    const { rows } = await pool.query(
      'select owner_id, name from vault.secret join vault.owner_key using (key_id) where subject_id = $1',
      [datastoreId],
    )
    const found: Record<string, string> = {}
    for (const { owner_id: ownerId, name } of Sealed.parse(rows)) {
      if (name.includes('certificate')) continue
      const text = await open({ ownerId, subjectId: datastoreId, name })
      if (text !== undefined) found[`sealed ${name}`] = text.includes('-----BEGIN') ? middleOf(text) : text
    }
    return found
  } finally {
    await pool.end()
  }
}

/** What does not last: the arguments of processes, and messages, which are gone once they are acknowledged. */
const look = (): void => {
  for (const one of inArguments()) seenArguments.add(one)
  try {
    const files = inFiles(join(instance.stateDir, 'data', 'nats', 'jetstream'))
    for (const { bytes } of files) seenMessages.add(bytes.toString('latin1'))
  } catch {
    // A folder went away while it was listed: the next look comes at once.
  }
}

test.before(async () => {
  instance = await startInstance({ separate: true, settings: { OTLP_ENDPOINT: collector.url, LOG_LEVEL: 'debug' } })
  const chosen = readFileSync(join(instance.stateDir, 'ports.json'), 'utf8')
  ports = z.record(z.string(), z.number()).parse(JSON.parse(chosen))
})
test.after(async () => {
  await instance?.down()
  await collector.close()
})

test('a datastore comes and goes, while everybody is watched', async () => {
  const folder = join(instance.stateDir, 'secrets')
  for (const name of readdirSync(folder)) secrets[name] = readFileSync(join(folder, name), 'utf8').trim()
  const password = randomBytes(12).toString('base64url')
  const { login } = instance.login
  const printed = await instance.ccx('client', 'add', login, '--name', 'canary')
  secrets['client secret'] = /^client secret: (\S+)$/m.exec(printed)?.[1] ?? ''
  const stream = await instance.api('/api/v1/event-stream/credentials', { method: 'POST' })
  secrets['event stream password'] = z.object({ password: z.string() }).parse(stream.body).password
  secrets['wrong password'] = password
  await instance.signIn({ login, password }).then(() => assert.unreachable(), () => undefined)

  const { body, status } = await instance.api('/api/prov/api/v2/cluster', {
    method: 'POST',
    json: order({ name: 'told-in-every-place', size: 2 }),
    headers: { 'Idempotency-Key': randomUUID(), traceparent: `00-${TRACE}-${randomBytes(8).toString('hex')}-01` },
  })
  assert.is(status, 201)
  datastoreId = z.object({ uuid: z.uuid() }).parse(body).uuid
  let isDone = false
  const deployed = started(instance.api, datastoreId).finally(() => (isDone = true))
  // Without a pause: some processes do not live long.
  while (!isDone) {
    look()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await deployed
  Object.assign(secrets, await sealedOnes())
  const { db_account: account } = await datastoreOf(instance.api, datastoreId)
  assert.is(secrets['sealed admin-password'], account.database_password)
  assert.is((await remove(instance.api, datastoreId)).status, 200)
  await removed(instance.api, datastoreId)
  look()
})

test('one trace holds the request, its command, each order, its handling, its outcome and the last step', async () => {
  const wanted = [
    'ccx-rest HTTP POST',
    'ccx-rest command CreateDatastore',
    'ccx-runner-service command StartJob',
    'ccx-runner-service place infra.create-network',
    'ccx-deployer order infra.create-network',
    'ccx-runner-service record succeeded',
    'ccx-runner-service command RecordOutcome',
    'ccx-runner-service place cmon.bootstrap-primary',
    'cmon-master order cmon.bootstrap-primary',
    'ccx-deployer order infra.publish-names',
    'ccx-runner-service command RecordJobEnded',
  ]
  const seen = () => {
    const spans = collector.spans.filter(({ traceId }) => traceId === TRACE)
    return new Set(spans.map(({ service, name }) => `${service} ${name}`))
  }
  await until(() => wanted.every((name) => seen().has(name)), { withinMs: 10_000 }).catch(() => undefined)
  assert.equal(wanted.filter((name) => !seen().has(name)), [])
})

test('every service has its instruments', async () => {
  const told = async (service: string): Promise<string> => {
    const port = ports[`${service} health`]
    return (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  }
  const instruments = {
    'ccx-rest': [
      /ccx_http_request_seconds_count\{/,
      /ccx_command_seconds_count\{type="CreateDatastore",outcome="accepted"/,
    ],
    'ccx-auth-service': [/ccx_http_request_seconds_count\{/],
    'ccx-runner-service': [/ccx_command_seconds_count\{type="RecordOutcome"/, /ccx_hop_seconds_count/],
    'ccx-deployer': [/ccx_order_seconds_count\{subject="infra.create-machine",result="succeeded"/],
    'cmon-master': [/ccx_order_seconds_count\{subject="cmon.join-replica",result="succeeded"/],
    'ccx-projector': [
      /ccx_projector_position\{projection="all"/,
      /ccx_projector_lag_seconds\{projection="all"[^}]*\} \d+(\.\d+)?/,
    ],
    // Nobody has asked it to tell of anything here.
    'ccx-notifier': [/target_info\{/],
  } as const
  for (const service of SERVICES) {
    const text = await told(service)
    for (const instrument of instruments[service]) assert.match(text, instrument, service)
    assert.equal(whereFound(secrets, [{ where: `metrics of ${service}`, bytes: Buffer.from(text) }]), [])
  }
})

test('the logs of all services carry the ids by which a request is followed', () => {
  const of = (service: string) => readFileSync(join(instance.stateDir, 'logs', `${service}.log`), 'utf8')
  for (const service of ['ccx-rest', 'ccx-runner-service', 'ccx-deployer', 'cmon-master']) {
    const lines = of(service).split('\n')
    assert.ok(lines.some((line) => line.includes(`"traceId":"${TRACE}"`)), service)
    const id = service === 'ccx-rest' ? '"requestId":"' : `"datastoreId":"${datastoreId}"`
    assert.ok(lines.some((line) => line.includes(id)), service)
  }
  for (const service of SERVICES) assert.ok(of(service).includes(`"service":"${service}"`), service)
})

test('no secret is in any log, event, message, read model, journal, argument or span', async () => {
  const { stateDir, ccxDbUrl, cmonDbUrl } = instance
  const tables = [await inPostgres(ccxDbUrl), await inPostgres(eventStoreDbUrl()), await inMysql(cmonDbUrl)].flat()
  const told: readonly Written[] = [
    ...inFiles(join(stateDir, 'logs')),
    { where: 'messages', bytes: Buffer.from([...seenMessages].join('\n'), 'latin1') },
    ...tables,
    { where: 'the arguments of processes', bytes: Buffer.from([...seenArguments].join('\n')) },
    { where: 'spans', bytes: Buffer.from(collector.bodies.join('\n')) },
  ]
  assert.ok(Object.keys(secrets).length >= 16, Object.keys(secrets).join(', '))
  assert.ok(Object.values(secrets).every((secret) => secret.length >= 16))
  assert.equal(whereFound(secrets, told), [])

  // That the search finds what is there.
  const places = whereFound({ id: datastoreId }, told)
  const found = (what: RegExp) => assert.ok(places.some((place) => what.test(place)), `${what} in ${places.join(', ')}`)
  for (const service of ['ccx-deployer', 'cmon-master']) found(new RegExp(`^id in .*/logs/${service}.log`))
  found(/^id in eventstore event_store.events/)
  found(/^id in cmon jobs/)
  found(/^id in ccx read\.jobs/)
  found(/^id in messages/)
  found(/^id in spans/)
  assert.ok([...seenArguments].some((one) => one.includes('initdb') || one.includes('postgres')))
})

test.run()
