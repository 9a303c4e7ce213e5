// limit: 600 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { connect } from '../../infra/read-store/connect.ts'
import { feed } from '../../projections/feed.ts'
import { PREFIXES } from '../../projections/known-event.ts'
import type { ReadSchema } from '../../projections/schema.ts'
import { createInsistently, order, removed, removeInsistently, started } from '../support/datastores.ts'
import { type FeedClient, pullClient, streamClient } from '../support/feed-clients.ts'
import { rowsAfter } from '../support/folding.ts'
import { type RunningInstance, startInstance } from '../support/instance.ts'
import { until } from '../support/until.ts'

const test = suite('the feed while everything is killed')

const VICTIMS = [
  'ccx-projector', 'ccx-rest', 'event-store', 'postgres', 'ingress', 'ccx-auth-service', 'nats', 'ccx-runner-service',
  'ccx-deployer', 'cmon-master', 'mariadb', 'ccx-projector', 'postgres', 'event-store', 'ccx-rest',
] as const
/** A child that ends before that is kept away for longer and longer. */
const RECOVERED_MS = 1_000
const PATH = '/api/v1/events'

const seed = Date.now() % 1_000_000
let state = seed
/** Linear congruential (Park and Miller). */
const roll = (): number => {
  state = (state * 48_271) % 2_147_483_647
  return state / 2_147_483_647
}

let instance: RunningInstance
const clients: FeedClient[] = []

test.after(async () => {
  await Promise.all(clients.map((client) => client.stop().catch(() => undefined)))
  await instance?.down()
})

const sessionOf = async (apiUrl: string, { login, password }: RunningInstance['login']): Promise<string> => {
  const answer = await fetch(`${apiUrl}/api/v2/auth/login`, { method: 'POST', body: JSON.stringify({ login, password }) })
  await answer.body?.cancel()
  return answer.headers.getSetCookie()[0]?.split(';')[0] ?? ''
}

/** Datastores that come and go, until it is enough. */
const life = async (name: string, isEnough: () => boolean): Promise<number> => {
  let lives = 0
  for (; lives === 0 || !isEnough(); lives++) {
    const uuid = await createInsistently(instance.api, order({ name, size: 1 }))
    await started(instance.api, uuid, 180_000)
    await removeInsistently(instance.api, uuid)
    await removed(instance.api, uuid, 180_000)
  }
  return lives
}

const kill = async (victim: string): Promise<void> => {
  const isReady = () => instance.isUp(victim) && instance.ageMs(victim) > RECOVERED_MS
  await until(isReady, { withinMs: 90_000, what: `${victim} being up` })
  await instance.kill(victim)
}

type Told = { readonly id: string; readonly type: string; readonly subject: string; readonly data: unknown }
const told = ({ id, type, subject, data }: Told): Told => ({ id, type, subject, data })

const Rows = z.array(z.object({ id: z.string(), type: z.string(), subject: z.string(), data: z.json(), mine: z.boolean() }))

/** What the table holds, and what the log makes of it. */
const truths = async (organisationId: string) => {
  const { pool, close } = connect<ReadSchema>(instance.ccxDbUrl)
  const store = esdbEventStore({ connectionString: instance.config.eventStoreUrl })
  try {
    const log = await store.readAll({ after: 'start', prefixes: PREFIXES, limit: 1_000_000 })
    const made = [...rowsAfter(feed, log).values()].filter((row) => row.organisation_id === organisationId)
    const { rows } = await pool.query(
      'select id, type, subject, data, organisation_id = $1 as mine from read.feed order by position',
      [organisationId],
    )
    return { table: Rows.parse(rows).filter(({ mine }) => mine).map(told), log: made.map(told) }
  } finally {
    await store.close()
    await close()
  }
}

/** In the order of their first coming; a repeat must be the same event, and is let go. */
const withoutRepeats = (got: FeedClient['got']): readonly Told[] => {
  const known = new Map<string, Told>()
  for (const event of got) {
    const before = known.get(event.id)
    if (before !== undefined) assert.equal(told(event), before, 'a repeat is the same event')
    known.set(event.id, told(event))
  }
  return [...known.values()]
}

test('every service comes up as a process of its own', async () => {
  instance = await startInstance({ separate: true })
})

test('a stream and a pull that come back with their cursor get the log, whole and in order', async () => {
  const { config: { http }, login } = instance
  const cookie = await sessionOf(http.publicUrl, login)
  const options = { url: `${http.publicUrl}${PATH}`, headers: { cookie }, roll }
  const [stream, pull] = [streamClient(options), pullClient(options)]
  clients.push(stream, pull)
  let isEnough = false
  const lives = Promise.all(['one', 'two'].map((name) => life(name, () => isEnough)))
  lives.catch(() => undefined)
  for (const victim of VICTIMS) {
    const wanted = stream.got.length + 1 + Math.floor(roll() * 12)
    await until(() => stream.got.length >= wanted, { withinMs: 120_000, what: `${wanted} events on the stream` })
    await kill(victim)
  }
  isEnough = true
  const [one = 0, two = 0] = await lives
  const organisationId = z.string().parse(stream.got[0]?.source.split('/').at(-1))
  const { table, log } = await until(async () => {
    const both = await truths(organisationId)
    return both.table.length === both.log.length ? both : undefined
  }, { withinMs: 60_000, what: 'the table being as long as the log' })
  assert.equal(table, log)
  for (const [name, client] of Object.entries({ stream, pull })) {
    const all = () => new Set(client.got.map(({ id }) => id)).size
    await until(() => all() >= table.length, { withinMs: 60_000, what: `the ${name} being at the end` }).catch(() => undefined)
    await client.stop()
    assert.equal(withoutRepeats(client.got), table, `${name}, seed ${seed}`)
  }
  const repeats = [stream, pull].map(({ got }) => got.length - table.length)
  console.log(
    `${one + two} datastores, ${table.length} events, ${VICTIMS.length} kills; the stream came back ${stream.returns()} ` +
      `times, the pull ${pull.returns()}; repeats: ${repeats.join(' and ')}; seed ${seed}`,
  )
})

test.run()
