import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { v5 } from 'uuid'
import { z } from 'zod'
import type { JsonObject, JsonValue } from '../../domain/kernel/json.ts'
import type { Recorded } from '../../domain/kernel/event-store.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { cursorOf, feedPosition, feedPositionAfter, placeOf } from '../../projections/feed-position.ts'
import { feed } from '../../projections/feed.ts'
import { type KnownEvent, PREFIXES, isKnown } from '../../projections/known-event.ts'
import { cloudEvent, cloudEventOf } from '../../projections/public-events/cloud-event.ts'
import { contract } from '../../projections/public-events/contract.ts'
import { organisationOf, publicEvents } from '../../projections/public-events/mapping.ts'
import { asyncApi } from '../../read-api/async-api.ts'
import { noon } from '../support/examples.ts'
import { recorded, rowsAfter } from '../support/folding.ts'
import { randomHistory, writer } from '../support/history.ts'
import { schemasAsPublished, schemasOfToday } from '../support/published-events.ts'

const test = suite('the public events')

const URL = 'https://ccx.example'
const NAMESPACE = '2d3a7cbb-7a0e-4c3a-93b1-6d5c0f0d4a11'
const CANARY = 'CANARY'
const WRITTEN_BY_SOMEBODY = new Set([
  'name', 'login', 'firstName', 'lastName', 'tags', 'emails', 'because', 'line', 'description', 'url', 'username', 'database',
  'title', 'domain', 'address', 'reason', 'source',
])

/** The names of steps, and why a webhook rests. */
const OUR_WORDS = /^(name (?!db-)[a-z0-9-]+|because (asked|failing|gone|stale))$/

const Data = z.record(z.string(), z.json())

const lifelikeText = (value: string, member = ''): string => {
  if (WRITTEN_BY_SOMEBODY.has(member) && !OUR_WORDS.test(`${member} ${value}`)) return `${CANARY} ${value}`
  return /^(clu|job|acc|own|cli|nod|whk|org|inv|grp|rul)_\w+$/.test(value) ? v5(value, NAMESPACE) : value
}

/** Ids as they really are, and a canary in the place of every text that somebody wrote. */
const lifelike = (value: JsonValue, member = ''): JsonValue => {
  if (typeof value === 'string') return lifelikeText(value, member)
  if (Array.isArray(value)) return value.map((one: JsonValue) => lifelike(one, member))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [lifelikeText(name), lifelike(one, name)]),
  )
}

const store = memoryEventStore(() => noon)
for (const seed of [1, 2, 3, 4, 5, 8]) await writer(store)(randomHistory(seed, { datastores: 12, moves: 1500 }))
const log: readonly Recorded[] = await store.readAll({ after: 'start', prefixes: PREFIXES, limit: Infinity })
const events: readonly KnownEvent[] = log
  .map((event): Recorded => ({
    ...event,
    data: Data.parse(lifelike(Data.parse(event.data))),
    metadata: { ...event.metadata, organisationId: v5(event.stream, NAMESPACE) },
  }))
  .filter(isKnown)
const rows = [...rowsAfter(feed, events).values()]

test('what the mapping makes of any history is what the contract says, and no member more', () => {
  assert.ok(rows.length > 1_000)
  const told = new Set<string>()
  for (const event of events) {
    for (const { type, subject, data } of publicEvents(event)) {
      told.add(type)
      assert.equal(contract[type].data.parse(data), data, `${type} made of ${event.type}`)
      const template = contract[type].subject
      const named = z.record(z.string(), z.unknown()).parse(data)
      assert.is(subject, template.replace(/\{(\w+)\}/, (_, member: string) => String(named[member])), type)
    }
  }
  const untold = Object.keys(contract).filter((type) => !told.has(type))
  assert.equal(untold, ['dev.ccx.account.erased.v1'], 'a history holds every type but this')
})

test('every row of the feed is a CloudEvent whose id is its own, in the order of the log', () => {
  const found = rows.map((row) => cloudEvent.parse(cloudEventOf(row, URL)))
  assert.is(new Set(found.map(({ id }) => id)).size, rows.length)
  assert.equal(rows.map(({ position }) => position).toSorted(), rows.map(({ position }) => position))
  for (const [n, { cursor, data, dataschema }] of found.entries()) {
    assert.equal(placeOf(cursor), rows[n]?.position)
    assert.equal(data, rows[n]?.data)
    assert.ok(dataschema.startsWith(`${URL}/api/asyncapi.json#/components/schemas/dev.ccx.`))
  }
})

test('nothing that somebody wrote and nothing sealed is told', () => {
  assert.ok(JSON.stringify(events.map(({ data }) => data)).includes(CANARY))
  const told = JSON.stringify(rows)
  assert.not.ok(told.includes(CANARY), told.slice(told.indexOf(CANARY) - 300, told.indexOf(CANARY) + 50))
  assert.not.ok(told.includes('sealed:'))
})

test('an old event that does not name its organisation is told where its data says whose it is', () => {
  const plain = log.filter(isKnown)
  const owned = plain.filter((event) => organisationOf(event) !== undefined)
  for (const type of ['DatastoreCreated', 'JobQueued', 'JobStarted', 'ClientCreated', 'ClientRevoked']) {
    assert.ok(owned.some((event) => event.type === type), type)
    assert.ok(plain.every((event) => event.type !== type || owned.includes(event)), type)
  }
  assert.ok([...rowsAfter(feed, plain).values()].every(({ organisation_id: id }) => id !== ''))
})

test('an event has several public events when it says several things, each with a place of its own', () => {
  const result = { privateAddress: '10.0.0.1', roles: { n1: 'primary', n2: 'replica' } }
  const place = { step: 's', key: 'n1', attempt: 1, course: 'forward' }
  const data = { jobId: 'j', datastoreId: 'd', ...place, result, progressPercent: 40, at: noon }
  const [event] = recorded(() => 'job-j', [{ type: 'StepSucceeded', data }])
  assert.ok(event !== undefined && isKnown(event))
  assert.equal(publicEvents(event).map(({ type, subject }) => [type, subject]), [
    ['dev.ccx.node.address-assigned.v1', 'nodes/n1'],
    ['dev.ccx.node.role-assigned.v1', 'nodes/n1'],
    ['dev.ccx.node.role-assigned.v1', 'nodes/n2'],
    ['dev.ccx.job.progressed.v1', 'jobs/j'],
  ])
  const owned = { ...event, metadata: { ...event.metadata, organisationId: 'o' } }
  assert.equal(feed.keys(owned).map(cursorOf), ['0/0/0', '0/0/1', '0/0/2', '0/0/3'])
  const undone = { ...owned, data: { ...data, course: 'back' } }
  assert.ok(isKnown(undone))
  assert.equal(feed.keys(undone), [], 'an undo is no news')
})

test('a cursor is read back as the place it was written for, and nothing else is a cursor', () => {
  const at = { commit: 2n ** 62n, prepare: 7n }
  for (const place of [feedPosition(at, 0), feedPosition(at, 12), feedPositionAfter(at), '']) {
    assert.is(placeOf(cursorOf(place)), place)
  }
  assert.is(cursorOf(feedPositionAfter(at)), `${2n ** 62n}/7`)
  assert.ok(feedPosition(at, 9_998) < feedPositionAfter(at))
  for (const text of ['', 'now', '1', '1/', '1/2/', '1/2/12345', '1/2/3/4', '-1/2', ' 1/2', '1/2\n', `${'1'.repeat(20)}/1`]) {
    assert.is(placeOf(text), undefined, text)
  }
})

/** What a reader of the published schema may have relied on and does not find any more. */
const broken = (published: JsonObject, today: JsonObject | undefined, path: string): readonly string[] => {
  if (today === undefined) return [`${path} is gone`]
  const object = z.object({
    properties: z.record(z.string(), z.record(z.string(), z.json())).default({}),
    items: z.record(z.string(), z.json()).optional(),
    required: z.array(z.string()).default([]),
  })
  const [was, is] = [object.parse(published), object.parse(today)]
  const COMPARED = new Set(['description', 'properties', 'required', 'items'])
  const bare = (schema: JsonObject) =>
    JSON.stringify(Object.fromEntries(Object.entries(schema).filter(([name]) => !COMPARED.has(name))))
  return [
    ...(bare(published) === bare(today) ? [] : [`${path} is not what it was`]),
    ...(was.items === undefined ? [] : broken(was.items, is.items, `${path}[]`)),
    ...was.required.filter((name) => !is.required.includes(name)).map((name) => `${path}.${name} may be absent`),
    ...Object.entries(was.properties).flatMap(([name, one]) => broken(one, is.properties[name], `${path}.${name}`)),
  ]
}

test('a published type stays what it was, and may only gain members', () => {
  const today = schemasOfToday()
  const published = schemasAsPublished()
  assert.equal(Object.entries(published).flatMap(([type, schema]) => broken(schema, today[type], type)), [])
  const unpublished = Object.keys(today).filter((type) => published[type] === undefined)
  assert.equal(unpublished, [], 'new types are put down by: node tests/support/published-events.ts')
})

test('whatever would break a reader of a published type is found', () => {
  const text = { type: 'string' }
  const published = { type: 'object', properties: { id: text, at: { ...text, description: 'when' } }, required: ['id', 'at'] }
  const found = (today: JsonObject) => broken(published, today, 't')
  assert.equal(found({ ...published, properties: { ...published.properties, at: text, more: text } }), [])
  assert.equal(found({ ...published, properties: { id: text } }), ['t.at is gone'])
  assert.equal(found({ ...published, required: ['id'] }), ['t.at may be absent'])
  assert.equal(found({ ...published, properties: { id: { type: 'number' }, at: text } }), ['t.id is not what it was'])
  const list = (items: JsonObject) => ({ type: 'array', items })
  assert.equal(broken(list(published), list({ ...published, required: ['id'] }), 't'), ['t[].at may be absent'])
  assert.equal(broken({ ...text, enum: ['a'] }, { ...text, enum: ['a', 'b'] }, 't'), ['t is not what it was'])
})

test('the AsyncAPI document describes every type, and each of its references leads somewhere', () => {
  const document = asyncApi(URL)
  const at = (pointer: string): unknown =>
    pointer
      .split('/')
      .slice(1)
      .reduce<unknown>((value, name) => z.record(z.string(), z.unknown()).parse(value)[name], document)
  const references: string[] = []
  JSON.stringify(document, (name, value: unknown) => {
    if (name === '$ref') references.push(z.string().parse(value))
    return value
  })
  assert.ok(references.length > 3 * Object.keys(contract).length)
  for (const reference of references) assert.ok(at(reference) !== undefined, reference)
  const { messages } = z.looseObject({ messages: z.record(z.string(), z.json()) }).parse(at('#/channels/events'))
  assert.equal(Object.keys(messages), Object.keys(contract))
  assert.is(z.looseObject({ host: z.string() }).parse(at('#/servers/api')).host, 'ccx.example')
})

test('the page for integrators lists every type', () => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'events.md'), 'utf8')
  const rows = Object.entries(contract).map(([type, { subject, summary }]) => `| \`${type}\` | \`${subject}\` | ${summary} |`)
  const listed = page.split('\n').filter((line) => line.startsWith('| `dev.ccx.'))
  assert.equal(listed, rows)
})

test.run()
