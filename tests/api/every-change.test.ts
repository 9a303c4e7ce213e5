import { randomUUID } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { databaseEndpoints } from '../../command-handlers/databases.ts'
import { databaseUserEndpoints } from '../../command-handlers/database-users.ts'
import { knownDatastore } from '../../command-handlers/datastore-tools.ts'
import { CHECKPOINT_PREFIX, KEY_PREFIX } from '../../domain/audit/checkpoint.ts'
import type { Catalogue } from '../../domain/catalogue/catalogue.ts'
import { RevisionConflict } from '../../domain/kernel/event-store.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { CHECKPOINT_STREAM } from '../../infra/runners/checkpoint.ts'
import { isDatastoreEvent } from '../../infra/runners/job-events.ts'
import { type AskedFor, type Call, changeCalls, type Target } from '../support/change-calls.ts'
import type { Answer } from '../support/rest.ts'
import { willing } from '../support/runner-scene.ts'
import { until } from '../support/until.ts'
import { whyScene } from '../support/why-scene.ts'

const test = suite('every kind of change through REST')

const withinMs = 20_000
const now = () => new Date().toISOString()
const Plan = z.object({ dry_run: z.literal(true), jobs: z.array(z.object({ kind: z.string() })) })
const Problem = z.object({ type: z.string() })

/** When the newest image came out. */
let newest: string | undefined
const offered = readCatalogue()
const tuned = {
  code: 'tuned', name: 'Tuned', info: 'As fast as it is told to be.', sizeGib: { min: 1, max: 100, default: 10 },
  iops: { min: 1000, max: 9000, default: 2000 }, pricePerGibMonth: 0,
}
const catalogue: Catalogue = {
  ...offered,
  clouds: offered.clouds.map((cloud) => ({ ...cloud, volumes: [...cloud.volumes, tuned] })),
  get serverConfig() {
    return newest ?? '2000-01-01T00:00:00.000Z'
  },
}

const vault = new Map<string, Promise<string>>()
const access = {
  vault: {
    ensure: ({ subjectId, name }: { subjectId: string; name: string }, generate: () => Promise<string>) => {
      const held = vault.get(`${subjectId}/${name}`) ?? generate()
      vault.set(`${subjectId}/${name}`, held)
      return held
    },
  },
  observe: async () => ({ databases: [], users: [] }),
  waitMs: 0,
}

/** As if a process died between its deed and the record of its answer. */
let areAnswersLost = false
/** While it is shut nothing that is ordered is done. */
let gate = Promise.withResolvers<void>()
gate.resolve()
const scene = await whyScene(
  'every_change',
  async (order, tools) => {
    await gate.promise
    return willing(order, tools)
  },
  { now, pass: () => undefined },
  {
    catalogue,
    face: (whole) => ({
      ...whole,
      append: async (stream, ...rest) => {
        if (areAnswersLost && stream.startsWith('request-')) throw new RevisionConflict('the answer is lost')
        return whole.append(stream, ...rest)
      },
    }),
    calls: (own) => [{ ...own, ...access }].flatMap((all) => [...databaseEndpoints(all), ...databaseUserEndpoints(all)]),
  },
)
const { create, rest, settled, store } = scene
test.after(scene.end)

type How = { readonly as?: string; readonly key?: string; readonly query?: string }
const ask = ({ method, path, body }: Call, { as = 'alice', key, query = '' }: How = {}): Promise<Answer> =>
  rest.ask(method, `${path}${query}`, { as, body, ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }) })

const granted = async (call: Call, how: How = {}): Promise<Answer> => {
  const answer = await ask(call, how)
  assert.ok(answer.status < 300, `${call.method} ${call.path}: ${answer.status} ${answer.text}`)
  return answer
}

const idle = (uuid: string) =>
  until(
    async () => {
      const { state } = await knownDatastore({ store }, uuid, undefined)
      return state.queue.length === 0 ? state : undefined
    },
    { withinMs, what: 'the end of all jobs' },
  )

const running = async ({ first = [] }: Pick<AskedFor, 'first'>): Promise<Target> => {
  const uuid = await create('shop', randomUUID())
  const { nodes } = await idle(uuid)
  const idOf = (role: string): string => nodes.find((node) => node.role === role)?.nodeId ?? ''
  const target = { uuid, primary: idOf('primary'), replica: idOf('replica') }
  for (const call of first) {
    await granted(call(target))
    await idle(uuid)
  }
  return target
}

const eventsOf = async ({ uuid }: Target) => (await store.read(`datastore-${uuid}`)).events.filter(isDatastoreEvent)

/** What is written, but for what goes on beside every request: the runner's progress, and the seals of the audit trail. */
const writtenAfter = async (after: Awaited<ReturnType<typeof store.head>>) =>
  (await store.readAll({ after, prefixes: [''], limit: 100 })).flatMap(({ stream, type }) =>
    [CHECKPOINT_STREAM, CHECKPOINT_PREFIX, KEY_PREFIX].some((own) => stream.startsWith(own)) ? [] : [type],
  )

const refusalOf = ({ status, body }: Answer) => [status, Problem.parse(body).type]

/** Does something while no order is carried out. */
const whileShut = async <T>(what: () => Promise<T>): Promise<T> => {
  gate = Promise.withResolvers()
  try {
    return await what()
  } finally {
    gate.resolve()
  }
}

const rename = ({ uuid }: Target): Call =>
  ({ method: 'PATCH', path: `/api/prov/api/v2/cluster/${uuid}`, body: { cluster_name: 'renamed' } })

for (const [kind, asked] of Object.entries(changeCalls)) {
  if (asked === null) continue
  const { call, jobs = 1, next: nextKind = 'change-parameters' } = asked
  const kinds = Array.from({ length: jobs }, () => kind)

  test(`${kind}: a dry run answers with the plan and writes nothing, and another tenant finds nothing`, async () => {
    const target = await running(asked)
    newest = now()
    const [head, kept] = [await store.head(), vault.size]
    const plan = Plan.parse((await granted(call(target), { query: '?dryRun=true' })).body)
    assert.equal(plan.jobs.map((job) => job.kind), kinds)
    const nowhere = { ...target, uuid: randomUUID() }
    for (const query of ['', '?dryRun=true']) {
      for (const one of [target, nowhere]) {
        assert.equal(refusalOf(await ask(call(one), { as: 'bob', query })), [404, '/problems/datastore-not-found'])
      }
    }
    assert.equal([await writtenAfter(head), vault.size], [[], kept])
  })

  test(`${kind}: the same call under one key is done once, and what is asked right behind it is done too`, async () => {
    const target = await running(asked)
    newest = now()
    const before = (await eventsOf(target)).length
    const next = changeCalls[nextKind]?.call
    if (next === undefined) throw new Error(`BUG: ${nextKind} cannot be asked for`)
    const key = randomUUID()
    const [one, other] = await whileShut(async () => {
      const both = await Promise.all([granted(call(target), { key }), granted(call(target), { key })])
      await granted(next(target), { key: randomUUID() })
      await granted(rename(target), { key: randomUUID() })
      const { state } = await knownDatastore({ store }, target.uuid, undefined)
      assert.equal(state.queue.map((job) => job.kind), [...kinds, nextKind])
      return both
    })
    await idle(target.uuid)
    const late = await granted(call(target), { key })
    assert.is(late.headers.get('idempotent-replayed'), 'true')
    assert.equal([one, other].map(({ status, body }) => [status, body]), [[late.status, late.body], [late.status, late.body]])

    const events = (await eventsOf(target)).slice(before)
    const queued = events.flatMap(({ type, data }) => (type === 'JobQueued' ? [data.kind] : []))
    assert.equal(queued, [...kinds, nextKind])
    const ends = events.flatMap(({ type, data }) => (type === 'JobEnded' ? [[data.kind, data.end]] : []))
    assert.equal(ends, queued.map((each) => [each, 'finished']))
    assert.is(events.filter(({ type }) => type === 'SettingsChanged').length, 1)
  })

  test(`${kind}: a call whose answer was lost is known again while it waits, and when it is done`, async () => {
    const target = await running(asked)
    newest = now()
    const before = (await eventsOf(target)).length
    const key = randomUUID()
    areAnswersLost = true
    try {
      const [one, again] = await whileShut(async () => [
        await granted(call(target), { key }),
        await granted(call(target), { key }),
      ])
      assert.equal([again?.status, again?.body], [one?.status, one?.body])
      await idle(target.uuid)
      const late = await granted(call(target), { key })
      assert.is(late.status, one?.status)
      assert.is(late.headers.get('idempotent-replayed'), null)
    } finally {
      areAnswersLost = false
    }
    await idle(target.uuid)
    const events = (await eventsOf(target)).slice(before)
    assert.equal(events.flatMap(({ type, data }) => (type === 'JobQueued' ? [data.kind] : [])), kinds)
  })
}

test('where clients could connect from is told of any time', async () => {
  const target = await running({})
  const path = `/api/firewall/api/v1/firewall/${target.uuid}`
  const sourcesAt = async (query: string) =>
    z.array(z.object({ source: z.string() })).parse(await scene.read(`/api/firewall/api/v1/firewalls/${target.uuid}${query}`))
      .map(({ source }) => source)
  await granted({ method: 'POST', path, body: { source: '192.0.2.0/24' } })
  await idle(target.uuid)
  const then = now()
  await granted({ method: 'POST', path, body: { source: '198.51.100.7' } })
  await granted({ method: 'DELETE', path, body: { source: '192.0.2.0/24' } })
  await idle(target.uuid)
  await settled(target.uuid)
  assert.equal(await sourcesAt(''), ['198.51.100.7'])
  assert.equal(await sourcesAt(`?asOf=${then}`), ['192.0.2.0/24'])
})

test.run()
