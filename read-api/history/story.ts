import type { Catalogue } from '../../domain/catalogue/catalogue.ts'
import type { JsonValue } from '../../domain/kernel/json.ts'
import { datastores } from '../../projections/datastores.ts'
import { jobs as jobsProjection } from '../../projections/jobs.ts'
import type { KnownEvent } from '../../projections/known-event.ts'
import { nodes as nodesProjection, plannedBy } from '../../projections/nodes.ts'
import type { DatastoreRow, JobRow, NodesRow } from '../../projections/schema.ts'
import { datastoreFields, type Fields, nodesFields } from './fields.ts'

/** A field as an event left it. A field that is gone has no value. */
export type Setting = { readonly value: JsonValue | undefined; readonly by: KnownEvent }

/** What an event did to a field. */
export type Change = { readonly field: string; readonly from: JsonValue | undefined; readonly to: JsonValue | undefined }

/** A datastore as its events tell it up to some event, and which of them set what it shows. */
export type Story = {
  /** As it was last, if it is deleted. */
  readonly datastore: DatastoreRow | undefined
  readonly isDeleted: boolean
  readonly nodes: NodesRow | undefined
  /** How every node is called that there ever was, or was to be, by its id. */
  readonly nodeNames: ReadonlyMap<string, string>
  /** Those that have not ended, in the order they will run. */
  readonly jobs: ReadonlyMap<string, JobRow>
  readonly settings: ReadonlyMap<string, Setting>
}

export const nothingYet: Story = {
  datastore: undefined,
  isDeleted: false,
  nodes: undefined,
  nodeNames: new Map(),
  jobs: new Map(),
  settings: new Map(),
}

// Of a job nothing shows in its datastore but that it is there and how far it has come.
const JOB_TYPES = ['JobQueued', 'JobStarted', 'StepSucceeded', 'JobDropped', 'JobEnded'] as const

/** The types of the events that can set a field; the others of a long history need not be read. */
export const TELLING: readonly KnownEvent['type'][] = [
  ...new Set([...(datastores.types ?? []), ...(nodesProjection.types ?? []), ...JOB_TYPES]),
]
const telling = new Set<string>(TELLING)

const jobsAfter = (before: Story['jobs'], event: KnownEvent): Story['jobs'] => {
  let after: Map<string, JobRow> | undefined
  for (const jobId of jobsProjection.keys(event)) {
    const row = before.get(jobId)
    const next = jobsProjection.apply(row, event, jobId)
    if (next === row) continue
    after ??= new Map(before)
    if (next === undefined || next.ended_at !== null) after.delete(jobId)
    else after.set(jobId, next)
  }
  return after ?? before
}

const same = (a: JsonValue | undefined, b: JsonValue | undefined): boolean =>
  a === b || (typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b))

const namesAfter = (before: Story['nodeNames'], event: KnownEvent): Story['nodeNames'] => {
  const planned = plannedBy(event)
  return planned.length === 0 ? before : new Map([...before, ...planned.map(({ nodeId, name }) => [nodeId, name] as const)])
}

/** What differs between the fields as they are set and as they are now. */
const changesTo = (settings: Story['settings'], now: Fields): readonly Change[] => {
  const changes: Change[] = []
  for (const [field, to] of now) {
    const from = settings.get(field)?.value
    if (!same(from, to)) changes.push({ field, from, to })
  }
  return changes
}

/** The fields of nodes that are no more. A datastore's own fields stay, come what may. */
const goneWith = (settings: Story['settings'], now: Fields): readonly Change[] =>
  [...settings].flatMap(([field, { value: from }]) =>
    from !== undefined && field.startsWith('nodes.') && !now.has(field) ? [{ field, from, to: undefined }] : [],
  )

/**
 * Goes on with a story by one event.
 *
 * @param catalogue how what was deployed is called
 * @returns the story with the event, and what the event changed of what shows
 */
export const goOn = (
  catalogue: Catalogue,
  story: Story,
  event: KnownEvent,
): { readonly story: Story; readonly changes: readonly Change[] } => {
  if (!telling.has(event.type)) return { story, changes: [] }
  const row = { datastore: story.datastore, nodes: story.nodes }
  for (const key of datastores.keys(event)) row.datastore = datastores.apply(row.datastore, event, key)
  for (const key of nodesProjection.keys(event)) row.nodes = nodesProjection.apply(row.nodes, event, key)
  const jobs = jobsAfter(story.jobs, event)
  const isDeleted = story.datastore !== undefined && (story.isDeleted || row.datastore === undefined)
  const datastore = isDeleted ? lastOf(story, event) : row.datastore
  const changes: Change[] = []
  const { settings } = story
  if (datastore !== undefined && (datastore !== story.datastore || jobs !== story.jobs)) {
    const shown = datastoreFields(catalogue, { row: datastore, jobs: [...jobs.values()], isDeleted })
    changes.push(...changesTo(settings, shown))
  }
  if (row.nodes !== story.nodes) {
    const shown = nodesFields(catalogue, row.nodes)
    changes.push(...changesTo(settings, shown), ...goneWith(settings, shown))
  }
  const after = new Map(changes.length === 0 ? [] : settings)
  for (const { field, to: value } of changes) after.set(field, { value, by: event })
  const nodeNames = namesAfter(story.nodeNames, event)
  return {
    story: { datastore, isDeleted, nodes: row.nodes, nodeNames, jobs, settings: changes.length === 0 ? settings : after },
    changes,
  }
}

/** The row that a deleted datastore had last. */
const lastOf = ({ datastore }: Story, { type, data }: KnownEvent): DatastoreRow | undefined =>
  datastore !== undefined && type === 'DatastoreDeleted' ? { ...datastore, updated_at: data.at } : datastore
