import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { datastores } from '../../projections/datastores.ts'
import { jobs } from '../../projections/jobs.ts'
import { isKnown, type KnownEvent, PREFIXES } from '../../projections/known-event.ts'
import { nodes } from '../../projections/nodes.ts'
import type { DatastoreRow, JobRow, NodesRow } from '../../projections/schema.ts'
import { datastoreFields, nodesFields } from '../../read-api/history/fields.ts'
import { goOn, nothingYet, type Story } from '../../read-api/history/story.ts'
import { noon } from '../support/examples.ts'
import { rowsAfter } from '../support/folding.ts'
import { deepFreeze } from '../support/given.ts'
import { randomHistory, writer } from '../support/history.ts'

const test = suite('the story of a datastore')

const catalogue = readCatalogue()
const store = memoryEventStore(() => noon)
await writer(store)(randomHistory(5, { datastores: 8, moves: 900 }))
const log = (await store.readAll({ after: 'start', prefixes: PREFIXES, limit: Infinity })).filter(isKnown)

const histories = new Map<string, KnownEvent[]>()
for (const event of log) {
  if (!('datastoreId' in event.data)) continue
  const { datastoreId } = event.data
  histories.set(datastoreId, [...(histories.get(datastoreId) ?? []), event])
}

const settled = ({ settings }: Story) =>
  [...settings].flatMap(([field, { value }]) => (value === undefined ? [] : [[field, value] as const]))

type Rows = {
  readonly datastores: ReadonlyMap<string, DatastoreRow>
  readonly nodes: ReadonlyMap<string, NodesRow>
  readonly jobs: ReadonlyMap<string, JobRow>
}

const after = (rows: Rows, event: KnownEvent): Rows => ({
  datastores: rowsAfter(datastores, [event], rows.datastores),
  nodes: rowsAfter(nodes, [event], rows.nodes),
  jobs: rowsAfter(jobs, [event], rows.jobs),
})

test('at every event the fields are those of the rows that all events make', () => {
  let compared = 0
  for (const [datastoreId, events] of histories) {
    let story = nothingYet
    let rows: Rows = { datastores: new Map(), nodes: new Map(), jobs: new Map() }
    for (const event of events) {
      story = goOn(catalogue, story, deepFreeze(event)).story
      rows = after(rows, event)
      const row = rows.datastores.get(datastoreId)
      if (row === undefined) continue
      const open = [...rows.jobs.values()].filter(({ state }) => state === 'queued' || state === 'running')
      const own = datastoreFields(catalogue, { row, jobs: open, isDeleted: false })
      const shown = new Map([...own, ...nodesFields(catalogue, rows.nodes.get(datastoreId))])
      assert.equal(Object.fromEntries(settled(story)), Object.fromEntries(shown), `${event.type} ${event.position.commit}`)
      compared += 1
    }
  }
  assert.ok(compared > 200, `${compared}`)
})

test('what set a field is the last event that changed it', () => {
  for (const events of histories.values()) {
    const last = new Map<string, string>()
    let story = nothingYet
    for (const event of events) {
      const gone = goOn(catalogue, story, event)
      for (const { field, from } of gone.changes) {
        assert.equal(story.settings.get(field)?.value, from, `${field} was what the change says`)
        last.set(field, event.id)
      }
      story = gone.story
    }
    assert.equal(new Map([...story.settings].map(([field, { by }]) => [field, by.id])), last)
  }
})

test('a deleted datastore keeps what it showed last, without nodes', () => {
  const deleted = [...histories.values()].filter((events) => events.some(({ type }) => type === 'DatastoreDeleted'))
  assert.ok(deleted.length > 0)
  for (const events of deleted) {
    const story = events.reduce((so, event) => goOn(catalogue, so, event).story, nothingYet)
    const fields = new Map(settled(story))
    assert.equal([fields.get('cluster_status'), fields.get('current_job')], ['DELETED', null])
    assert.ok(fields.has('cluster_name'))
    assert.equal([...fields.keys()].filter((field) => field.startsWith('nodes.')), [])
  }
})

test.run()
