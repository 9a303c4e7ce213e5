// limit: 240 s
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { accountIdOf } from '../../command-handlers/ids.ts'
import { datastoreOf, order, remove, removed, started } from '../support/datastores.ts'
import { inFiles, whereFound } from '../support/everything-written.ts'
import { type Api, type RunningInstance, startInstance } from '../support/instance.ts'

const test = suite('an organisation that is erased from an instance')

const mark = randomUUID().slice(0, 8)
/** What its people said in their own words, each to be found nowhere. */
const words = {
  login: `canary-${mark}@people.test`,
  'first name': `Firstname-${mark}`,
  'last name': `Lastname-${mark}`,
  datastore: `orders of ${mark}`,
  tag: `tagged-${mark}`,
  mail: `mailbox-${mark}@people.test`,
  client: `client-${mark}`,
  address: '198.51.100.213',
  'webhook address': `hook-${mark}`,
  'webhook description': `description-${mark}`,
}
const forwarded = { 'X-Forwarded-For': words.address }

let instance: RunningInstance
let api: Api
let password: string
let uuid: string

test.before(async () => {
  // The address of a request comes from the proxy in front.
  const settings = { BEHIND_PROXY: 'true', WEBHOOK_ALLOW_HTTP: 'true', WEBHOOK_ALLOWED_TARGETS: '127.0.0.0/8' }
  instance = await startInstance({ separate: false, settings })
})
test.after(() => instance?.down())

const json = () => {
  const asked = order({ name: words.datastore, size: 1 })
  const notifications = { enabled: true, emails: [words.mail] }
  return { ...asked, general: { ...asked.general, tags: [words.tag] }, notifications }
}

test('was there, and its people saw their own words', async () => {
  const names = ['--first-name', words['first name'], '--last-name', words['last name']]
  const printed = await instance.ccx('user', 'add', words.login, ...names)
  password = /^password: (\S+)$/m.exec(printed)?.[1] ?? ''
  const signedIn = await instance.signIn({ login: words.login, password })
  api = (path, asking = {}) => signedIn(path, { ...asking, headers: { ...forwarded, ...asking.headers } })
  await instance.ccx('client', 'add', words.login, '--name', words.client)

  const key = randomUUID()
  const create = () => api('/api/prov/api/v2/cluster', { method: 'POST', json: json(), headers: { 'Idempotency-Key': key } })
  const first = await create()
  const again = await create()
  assert.equal(again.body, first.body)
  uuid = z.object({ uuid: z.uuid(), cluster_name: z.literal(words.datastore) }).parse(first.body).uuid
  await started(api, uuid)
  const { body } = await api(`/api/deployment/v3/data-stores/${uuid}`)
  const seen = z.object({ cluster_name: z.string(), tags: z.array(z.string()), notifications: z.unknown() }).parse(body)
  assert.equal(seen, { cluster_name: words.datastore, tags: [words.tag], notifications: json().notifications })
  const clients = await api('/api/v2/auth/oauth2/clients')
  assert.ok(JSON.stringify(clients.body).includes(words.client))
  const url = `http://127.0.0.1:9911/${words['webhook address']}`
  const hook = { url, description: words['webhook description'] }
  assert.is((await api('/api/v1/webhooks', { method: 'POST', json: hook })).status, 201)
  assert.is((await api('/api/v1/event-stream/credentials', { method: 'POST' })).status, 201)
  const { body: trail } = await api('/api/v1/audit?limit=100')
  for (const word of [words.login, words.address]) assert.ok(JSON.stringify(trail).includes(word), word)
  const { body: jobs } = await api(`/api/deployment/v2/data-stores/${uuid}/jobs`)
  assert.ok(JSON.stringify(jobs).includes(words.login))
})

test('is not erased while it has a datastore', async () => {
  const refusal = await instance.ccx('erase', words.login, '--yes').then(() => '', String)
  assert.match(refusal, uuid)
  assert.ok((await datastoreOf(api, uuid)).cluster_status === 'STARTED')
})

test('is locked out once it is erased, and so are its clients', async () => {
  assert.is((await remove(api, uuid)).status, 200)
  await removed(api, uuid)
  const printed = await instance.ccx('erase', words.login, '--yes')
  assert.match(printed, accountIdOf(words.login))
  assert.is((await api('/api/deployment/v3/data-stores')).status, 401)
  await instance.signIn({ login: words.login, password }).then(() => assert.unreachable(), () => undefined)
  // Done again it changes nothing.
  await instance.ccx('erase', words.login, '--yes')
})

test('has an audit trail that verifies as before, and tells none of its words', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ccx-erasure-'))
  try {
    const trail = await instance.ccx('audit', 'export', '--organisation', accountIdOf(words.login))
    await writeFile(join(folder, 'trail'), trail)
    await writeFile(join(folder, 'keys'), await instance.ccx('audit', 'keys'))
    const said = await instance.ccx('audit', 'verify', join(folder, 'trail'), '--key', join(folder, 'keys'))
    assert.match(said, 'is what was signed')
    assert.match(trail, 'OrganisationErased')
    assert.equal(whereFound(words, [{ where: 'the export', bytes: Buffer.from(trail) }]), [])
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('has left its ids, and not one of its words in any file of any store', async () => {
  await instance.stop()
  const written = inFiles(instance.stateDir)
  assert.equal(whereFound(words, written), [])
  // That the search finds what is there.
  const places = whereFound({ id: uuid }, written)
  assert.ok(places.some((place) => place.includes('/postgres/')), places.join(', '))
  assert.ok(places.some((place) => place.includes('/logs/')), places.join(', '))
})

test.run()
