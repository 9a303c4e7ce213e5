import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { derivedId } from '../../command-handlers/ids.ts'
import { type Position, positionText } from '../../domain/kernel/event-store.ts'
import { later } from '../../domain/kernel/time.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { readPosition } from '../../infra/read-store/position.ts'
import { sortablePosition } from '../../projections/positions.ts'
import { stories } from '../../read-api/history/stories.ts'
import { readApi } from '../../read-api/index.ts'
import { startAudit } from '../support/audit.ts'
import { noon } from '../support/examples.ts'
import { type Append, randomHistory } from '../support/history.ts'
import { pastIn } from '../support/past.ts'
import { openPersonalData } from '../support/personal-data.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore, startProjector } from '../support/read-store.ts'
import { principals, startRest } from '../support/rest.ts'

const test = suite('the past')

const WAIT_MS = 20_000
const LIST = '/api/deployment/v3/data-stores'
const { alice, bob, olga } = principals

const server = await startPostgres(['fsync=off'])
const readStore = await emptyReadStore(server.url, 'past')
let clock = noon
const store = memoryEventStore(() => clock)
const position = readPosition({ url: readStore.url })
const projector = startProjector(store, readStore)
const audit = await startAudit(store, readStore)
const history = pastIn(store, readStore, audit, () => clock)
const endpoints = readApi({
  db: readStore.db,
  catalogue: readCatalogue(),
  personal: openPersonalData,
  history,
  version: '0.0.1',
  openPassword: async () => undefined,
  openAuthority: async () => undefined,
})
const rest = await startRest(endpoints, { waitFor: (wanted) => position.waitFor(wanted, WAIT_MS) })
test.after(async () => {
  await rest.close()
  await projector.stop()
  await audit.stop()
  await position.close()
  await readStore.close()
  await server.stop()
})

const About = z.looseObject({
  datastoreId: z.string().optional(),
  jobId: z.string().optional(),
  spec: z.object({ ownerId: z.string() }).optional(),
})

/** The same events with the organisation that they are about, as they are written. */
const owned = (appends: readonly Append[]): readonly Append[] => {
  const owners = new Map<string | undefined, string>()
  return appends.map(({ stream, events }) => {
    const { datastoreId, spec } = About.parse(events[0]?.data)
    if (spec !== undefined) owners.set(datastoreId, spec.ownerId)
    const organisationId = owners.get(datastoreId)
    if (organisationId === undefined) return { stream, events }
    return { stream, events: events.map((event) => ({ ...event, metadata: { ...event.metadata, organisationId } })) }
  })
}

/** The same history with the ids that clients write, and with owners who can sign in. */
const presentable = (appends: readonly Append[]): readonly Append[] => {
  const owners: Readonly<Record<string, string>> = { own_1: alice.ownerId, own_2: alice.ownerId, own_3: bob.ownerId }
  const json = JSON.stringify(appends)
    .replaceAll(/\b(clu|job)_\d+_\d+/g, (id) => derivedId(id))
    .replaceAll(/\bown_\d/g, (owner) => owners[owner] ?? owner)
  return owned(z.array(z.custom<Append>()).parse(JSON.parse(json)))
}

type Moment = {
  readonly position: Position
  readonly at: string
  /** What was answered then, by path. */
  readonly answers: Readonly<Record<string, unknown>>
}

const read = async (path: string) => {
  const { status, body } = await rest.ask('GET', path, { as: 'alice' })
  // Whether a datastore was not there yet or is no more is told in other words.
  return status === 200 ? body : { status }
}

const isRefusal = (answer: unknown): boolean => z.object({ status: z.int() }).safeParse(answer).success

const pathsOf = ({ events }: Append): readonly string[] => {
  const { datastoreId, jobId } = About.parse(events[0]?.data)
  if (datastoreId === undefined) return [LIST]
  const deployment = `/api/deployment/v2/data-stores/${datastoreId}`
  const job = jobId === undefined ? [] : [`${deployment}/jobs/${jobId}`]
  const outages = `/api/v1/datastores/${datastoreId}/outages`
  return [LIST, `${LIST}/${datastoreId}`, `${deployment}/nodes`, `${deployment}/jobs`, outages, ...job]
}

const moments: Moment[] = []
const live = async (append: Append): Promise<void> => {
  clock = later(clock, 1_000)
  const { revision } = await store.read(append.stream)
  const { position: at } = await store.append(append.stream, append.events, { expected: revision })
  assert.ok(await position.waitFor(at, WAIT_MS))
  const answers: Record<string, unknown> = {}
  for (const path of pathsOf(append)) answers[path] = await read(path)
  moments.push({ position: at, at: clock, answers })
}

for (const append of presentable(randomHistory(11, { datastores: 6, moves: 420 }))) await live(append)
await audit.settled()

const compare = async (asOf: (moment: Moment) => string): Promise<void> => {
  for (const moment of moments) {
    for (const [path, then] of Object.entries(moment.answers)) {
      const url = `${path}?asOf=${encodeURIComponent(asOf(moment))}`
      assert.equal(await read(url), then, url)
    }
  }
}

test('at every position of a history, what is told of it now is what was told then', async () => {
  const nodes = moments.flatMap(({ answers }) => Object.entries(answers).filter(([path]) => path.endsWith('/nodes')))
  const told = nodes.filter(([, answer]) => !isRefusal(answer))
  assert.ok(told.length > 60, `${told.length} of ${moments.length}`)
  await compare(({ position: at }) => positionText(at))
})

test('at every time of a history, what is told of it now is what was told then', () => compare(({ at }) => at))

const created = moments.find(({ answers }) => Object.values(answers).length > 1 && !Object.values(answers).some(isRefusal))
const [, one = ''] = Object.keys(created?.answers ?? {})

const refused = async (path: string, as = 'alice') => {
  const { status, body } = await rest.ask('GET', path, { as })
  const { error, type } = z.object({ error: z.string(), type: z.string() }).parse(body)
  return { status, error, type }
}

test('before a datastore was, its owner learns since when it is, and nobody else learns that it is', async () => {
  const before = `${one}?asOf=${noon}`
  const { status, error, type } = await refused(before)
  assert.equal([status, type], [404, '/problems/datastore-not-found'])
  assert.match(error, new RegExp(`has existed only since ${created?.at ?? '?'}`))
  for (const { login } of [bob, olga]) {
    assert.match((await refused(before, login.split('@')[0])).error, /^there is no datastore [0-9a-f-]+$/)
  }
})

test('an instant that has not been is refused in words', async () => {
  const head = await store.head()
  if (head === 'start') throw new Error('BUG: nothing was written')
  const beyond = encodeURIComponent(positionText({ commit: head.commit + 1n, prepare: head.prepare + 1n }))
  const future = later(clock, 1)
  for (const asOf of [beyond, future]) {
    const { status, error, type } = await refused(`${one}?asOf=${asOf}`)
    assert.equal([status, type], [400, '/problems/instant-not-reached'])
    assert.match(error, asOf === future ? /lies in the future/ : /beyond the end of the log/)
  }
})

test('an instant that is none is refused by name', async () => {
  for (const asOf of ['yesterday', '2030-01-01', '1/2/3', '-1/1', '99999999999999999999/1', '9999999999999999999/1', '']) {
    const { status, body } = await rest.ask('GET', `${one}?asOf=${encodeURIComponent(asOf)}`, { as: 'alice' })
    assert.is(status, 400, asOf)
    assert.is(z.object({ field: z.string() }).parse(body).field, 'asOf', asOf)
  }
})

test('a story that is gone on with is the story told from its beginning', async () => {
  const catalogue = readCatalogue()
  const kept = stories({ audit: history.audit, catalogue, stride: 5 })
  const [, , datastoreId = ''] = /(data-stores)\/([^/]+)$/.exec(one) ?? []
  const places = moments.filter((_, n) => n % 7 === 0).map(({ position: at }) => sortablePosition(at))
  for (const place of [...places.toReversed(), ...places]) {
    const anew = stories({ audit: history.audit, catalogue })
    assert.equal((await kept.at(datastoreId, place)).settings, (await anew.at(datastoreId, place)).settings, place)
  }
  assert.ok((await kept.at(datastoreId)).settings.size > 40)
})

test('an instant may be given in any zone of time', async () => {
  const { at = '', answers = {} } = created ?? {}
  const elsewhere = `${new Date(Date.parse(at) + 7_200_000).toISOString().slice(0, -1)}+02:00`
  assert.equal(await read(`${one}?asOf=${encodeURIComponent(elsewhere)}`), answers[one])
})

test.run()
