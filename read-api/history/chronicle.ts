import type { Kysely } from 'kysely'
import type { Catalogue } from '../../domain/catalogue/catalogue.ts'
import { Refused } from '../../domain/kernel/endpoint.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import { positionText } from '../../domain/kernel/event-store.ts'
import type { KnownEvent } from '../../projections/known-event.ts'
import type { ReadSchema } from '../../projections/schema.ts'
import { type Causes, causes } from './causes.ts'
import { type AuditDb, type Beginning, eventsOf } from './events.ts'
import { withTextsOpen } from './open-texts.ts'
import { type DiffReply, diffReply, type HistoryReply, historyReply, type WhyReply, whyReply } from './replies.ts'
import { stories } from './stories.ts'
import { type Change, goOn, type Setting } from './story.ts'
import { type Telling, tellingOf } from './telling.ts'

export type ChronicleQueries = {
  readonly db: Kysely<ReadSchema>
  readonly audit: AuditDb
  readonly catalogue: Catalogue
  readonly personal: Pick<PersonalData, 'open'>
}

/** A datastore, by the event that it began with. */
export type Chronicled = { readonly datastoreId: string; readonly beginning: Beginning }

/** Tells what happened to datastores, what of them it changed, and why. For whom, is for the caller to see to. */
export type Chronicle = {
  /**
   * Why the datastore shows what it shows: all of it, or one field, or the fields below a name. Nodes go by their host
   * names or the first label of them.
   *
   * @throws Refused with `unknown-field`
   */
  readonly why: (of: Chronicled, field?: string) => Promise<WhyReply>
  /** What differs between two places of its history, given as text that sorts; without the second, until now. */
  readonly diff: (of: Chronicled, from: string, to: string | undefined) => Promise<Pick<DiffReply, 'changes'>>
  /** What happened after a place and up to another, oldest first, with what it changed. */
  readonly page: (
    of: Chronicled,
    part: { readonly after: string; readonly upTo?: string | undefined; readonly limit: number },
  ) => Promise<HistoryReply>
}

/** A field's name with nodes called by the first label of their host names, as people call them. */
export const shortName = ({ beginning: { data } }: Chronicled, field: string): string =>
  field.replace(`.${data.datastoreId}.${data.spec.domain}`, '')

/** @throws Refused with `unknown-field` */
const asked = (
  of: Chronicled,
  settings: ReadonlyMap<string, Setting>,
  field: string | undefined,
): readonly (readonly [string, Setting])[] => {
  const all = [...settings]
  if (field === undefined) return all.filter(([, { value }]) => value !== undefined)
  const named = all.filter(([name]) =>
    [name, shortName(of, name)].some((one) => one === field || one.startsWith(`${field}.`)),
  )
  if (named.length > 0) return named
  const known = new Set(all.map(([name]) => shortName(of, name).replace(/^nodes\.[^.]+/, 'nodes.<node>')))
  const names = [...known].toSorted().join(', ')
  throw new Refused({ rejected: 'unknown-field', because: `the datastore has no field ${field.slice(0, 100)}; it has ${names}` })
}

const orderOf = (event: KnownEvent, chain: readonly KnownEvent[]) => {
  if (event.type !== 'StepOrdered') return undefined
  const { step, key, attempt, course, order } = event.data
  const outcome = chain.find(
    ({ type, data }) =>
      (type === 'StepSucceeded' || type === 'StepFailed') &&
      data.step === step && data.key === key && data.attempt === attempt && data.course === course,
  )
  // What was never answered was decided by the clock, whose commands have no cause but themselves.
  const { causationId, commandId } = outcome?.metadata ?? { causationId: '', commandId: '' }
  return { id: outcome === undefined || causationId === commandId ? null : causationId, subject: order.subject }
}

const jobOf = (chain: readonly KnownEvent[], { names }: Telling) => {
  const jobId = chain.flatMap(({ data }) => ('jobId' in data ? [data.jobId] : [])).at(-1)
  if (jobId === undefined) return null
  const kind = chain.flatMap(({ data }) => ('kind' in data ? [data.kind] : [])).at(-1) ?? null
  const ordered = chain.findLast((event) => event.type === 'StepOrdered')
  if (ordered?.type !== 'StepOrdered') return { job_id: jobId, kind, step: null }
  const { step, course, attempt, order: { body } } = ordered.data
  const node = 'nodeId' in body ? names.node(body.nodeId) : null
  const title = names.step(jobId, step)
  const order = orderOf(ordered, chain) ?? null
  return { job_id: jobId, kind, step: { name: step, title, undo: course === 'back', attempt, node, order } }
}

const because = ({ chain, command }: Causes, telling: Telling) => {
  const [first] = chain
  if (first === undefined) throw new Error('BUG: a chain of causes ends with the event itself')
  const { requestId, commandId } = first.metadata
  const request = {
    actor: telling.actor(first),
    request_id: requestId ?? null,
    command: command ?? null,
    command_id: commandId,
    at: first.recordedAt,
  }
  const links = chain.map((event) => {
    const order = orderOf(event, chain)
    return order === undefined ? telling.event(event) : { ...telling.event(event), order }
  })
  return { request, job: jobOf(chain, telling), chain: [request, ...links] }
}

const changed = ({ field, from, to }: Change) => ({ field, from: from ?? null, to: to ?? null })

/**
 * @param queries.db the read models
 * @param queries.audit the audit trail, which has every event
 */
export const chronicle = (queries: ChronicleQueries): Chronicle => {
  const { db, audit, catalogue, personal } = queries
  const told = stories({ audit, catalogue })

  const why: Chronicle['why'] = async (of, field) => {
    const { datastoreId } = of
    const { settings, nodeNames } = await told.at(datastoreId)
    const found = asked(of, settings, field)
    const causeOf = causes({ audit, db, datastoreId })
    const events = new Map(found.map(([, { by }]) => [by.id, by]))
    const reasons = new Map(await Promise.all([...events].map(async ([id, event]) => [id, await causeOf(event)] as const)))
    const telling = await tellingOf(queries, nodeNames, [...reasons.values()].flatMap(({ chain }) => chain))
    const fields = found.flatMap(([name, { value, by }]) => {
      const reason = reasons.get(by.id)
      if (reason === undefined) return []
      return [{ field: name, value: value ?? null, set_by: telling.event(by), ...because(reason, telling) }]
    })
    return withTextsOpen(personal, whyReply, { uuid: datastoreId, fields })
  }

  const diff: Chronicle['diff'] = async ({ datastoreId }, from, to) => {
    const earlier = await told.at(datastoreId, from)
    const later = await told.at(datastoreId, to)
    const [before, after] = [earlier.settings, later.settings]
    const nodeNames = new Map([...earlier.nodeNames, ...later.nodeNames])
    const differing = [...after].filter(
      ([field, { value }]) => JSON.stringify(before.get(field)?.value) !== JSON.stringify(value),
    )
    // Seen backwards, there are fields that were not there yet.
    const gone = [...before].filter(([field, { value }]) => !after.has(field) && value !== undefined)
    const setters = [...differing, ...gone].map(([, { by }]) => by)
    const telling = await tellingOf(queries, nodeNames, setters)
    const changes = [...differing, ...gone].map(([field, { by }]) => ({
      ...changed({ field, from: before.get(field)?.value, to: after.get(field)?.value }),
      set_by: telling.event(by),
    }))
    return withTextsOpen(personal, diffReply.pick({ changes: true }), { changes })
  }

  const page: Chronicle['page'] = async ({ datastoreId }, { after, upTo, limit }) => {
    let story = await told.at(datastoreId, after)
    const events: KnownEvent[] = []
    for await (const some of eventsOf(audit, datastoreId, { after, upTo, limit: limit + 1 })) events.push(...some)
    const shown = events.slice(0, limit)
    const last = shown.at(-1)
    const steps = shown.map((event) => {
      const gone = goOn(catalogue, story, event)
      story = gone.story
      return { event, changes: gone.changes }
    })
    const telling = await tellingOf(queries, story.nodeNames, shown)
    const entries = steps.map(({ event, changes }) => ({
      ...telling.event(event),
      actor: telling.actor(event),
      request_id: event.metadata.requestId ?? null,
      changes: changes.map(changed),
    }))
    const next = events.length > limit && last !== undefined ? positionText(last.position) : null
    return withTextsOpen(personal, historyReply, { uuid: datastoreId, events: entries, next })
  }

  return { why, diff, page }
}
