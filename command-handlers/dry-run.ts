import { z } from 'zod'
import type { Catalogue } from '../domain/catalogue/catalogue.ts'
import { type Change, type Shape, changed, specAtWork } from '../domain/datastore/changes/index.ts'
import { datastore, planned } from '../domain/datastore/datastore.ts'
import type { DatastoreCommand, JobInput, JobKind } from '../domain/datastore/messages.ts'
import { pricePerHour } from '../domain/datastore/price.ts'
import { type Downtime, type Sagas, keysOf } from '../domain/job/saga.ts'
import { isRejection } from '../domain/kernel/decider.ts'
import { Refused } from '../domain/kernel/endpoint.ts'
import type { Known } from './datastore-tools.ts'

/** Whether only the plan is wanted. */
export const dryRunQuery = z.object({
  dryRun: z
    .enum(['true', 'false'])
    .optional()
    .transform((text) => text === 'true')
    .meta({ description: 'Answers with what would be done. Nothing is done, and nothing is written.' }),
})

const node = z.object({
  host_uuid: z.uuid().nullable().meta({ description: 'Null for a node that is to come.' }),
  role: z.enum(['primary', 'replica']).nullable(),
  instance_size: z.string(),
  availability_zone: z.string(),
})

const price = z.number().nullable().meta({
  description: 'By the catalogue of today; null where it has no price for a part any more.',
})

const downtime = z.enum(['none', 'write-pause', 'down', 'gone']).meta({
  description:
    'What an application notices. `write-pause`: its connections to the primary end and no write is taken until a primary is ' +
    'up again, replicas go on serving. `down`: nobody is served until the only node is back. `gone`: it ends for good.',
})

export const dryRunBody = z.object({
  dry_run: z.literal(true),
  settings: z.array(z.string()).meta({ description: 'What changes at once, by the names of the request.' }),
  jobs_ahead: z.int().meta({ description: 'How many jobs are at work or wait already.' }),
  jobs: z
    .array(
      z.object({
        kind: z.string(),
        title: z.string(),
        downtime,
        steps: z.array(z.object({ name: z.string(), title: z.string() })),
      }),
    )
    .meta({ description: 'One after the other, with the steps that have something to do.' }),
  downtime: downtime.meta({ description: 'The worst that any of the jobs brings.' }),
  nodes_before: z.array(node).meta({ description: 'Once the jobs ahead are done.' }),
  nodes_after: z.array(node),
  price_per_hour_before: price,
  price_per_hour_after: price,
})

export type DryRun = z.infer<typeof dryRunBody>

/**
 * Lets a datastore decide commands one after the other without writing anything.
 *
 * @returns the datastore as it would be
 * @throws Refused for the first one that is refused
 */
export const rehearsed = (state: Known, commands: readonly DatastoreCommand[]): Known =>
  commands.reduce<Known>((before, command) => {
    const decision = datastore.decide(command, before)
    if (isRejection(decision)) throw new Refused(decision)
    const after = decision.reduce<ReturnType<typeof datastore.evolve>>(datastore.evolve, before)
    if (after.status === 'absent') throw new Error('BUG: a datastore has gone from its own events')
    return after
  }, state)

const DOWNTIMES: readonly Downtime[] = ['none', 'write-pause', 'down', 'gone']

const worstOf = (jobs: DryRun['jobs']): Downtime =>
  DOWNTIMES.findLast((one) => jobs.some((job) => job.downtime === one)) ?? 'none'

const jobOf = (sagas: Sagas, kind: JobKind, input: JobInput): DryRun['jobs'][number] => {
  const { title, downtime, steps } = sagas[kind](input)
  const facts = { input, learned: { nodes: {} } }
  const needed = steps.filter((step) => keysOf(step, facts).length > 0)
  return { kind, title, downtime, steps: needed.map((step) => ({ name: step.name, title: step.title })) }
}

/** @param known those that are there or on their way: the ids of others are made anew with each request */
const nodesOf = ({ spec, nodes }: Shape, known: ReadonlySet<string>): DryRun['nodes_before'] =>
  spec.nodes.map(({ nodeId, instance, zone }) => ({
    host_uuid: known.has(nodeId) ? nodeId : null,
    role: nodes.find((one) => one.nodeId === nodeId)?.role ?? null,
    instance_size: instance.code,
    availability_zone: zone,
  }))

type Given = { readonly sagas: Sagas; readonly catalogue: Catalogue }

/**
 * What changes would do to a datastore.
 *
 * @param settings the names of those that change at once
 */
export const dryRunOfChanges = (
  { sagas, catalogue }: Given,
  state: Known,
  { changes, settings }: { readonly changes: readonly Change[]; readonly settings: readonly string[] },
): DryRun => {
  const before = planned(state)
  const known = new Set(before.spec.nodes.map(({ nodeId }) => nodeId))
  const jobs: DryRun['jobs'] = []
  let shape = before
  for (const change of changes) {
    const { datastoreId } = state
    jobs.push(jobOf(sagas, change.kind, { datastoreId, spec: specAtWork(shape, change), nodes: shape.nodes, change }))
    shape = changed(shape, change)
  }
  return {
    dry_run: true,
    settings: [...settings],
    jobs_ahead: state.queue.length,
    jobs,
    downtime: worstOf(jobs),
    nodes_before: nodesOf(before, known),
    nodes_after: nodesOf(shape, known),
    price_per_hour_before: pricePerHour(catalogue, before.spec) ?? null,
    price_per_hour_after: pricePerHour(catalogue, shape.spec) ?? null,
  }
}

/** What its deletion would do to a datastore. Of the jobs ahead, what is at work is stopped and what waits never begins. */
export const dryRunOfDeletion = ({ sagas, catalogue }: Given, state: Known): DryRun => {
  const { datastoreId, status, spec, nodes, queue } = state
  const known = new Set(spec.nodes.map(({ nodeId }) => nodeId))
  const jobs = status === 'deleting' ? [] : [jobOf(sagas, 'delete-datastore', { datastoreId, spec, nodes })]
  return {
    dry_run: true,
    settings: [],
    jobs_ahead: queue.length,
    jobs,
    downtime: worstOf(jobs),
    nodes_before: nodesOf(state, known),
    nodes_after: [],
    price_per_hour_before: pricePerHour(catalogue, spec) ?? null,
    price_per_hour_after: 0,
  }
}

/** What a retry would do, once it is decided: `after` is the datastore with the new job in its queue. */
export const dryRunOfRetry = (given: Given, state: Known, after: Known, jobId: string): DryRun => {
  const job = after.queue.find((one) => one.jobId === jobId)
  if (job?.change !== undefined) return dryRunOfChanges(given, state, { changes: [job.change], settings: [] })
  if (job?.kind !== 'deploy-datastore') return dryRunOfDeletion(given, state)
  const { datastoreId, spec, nodes } = after
  const jobs = [jobOf(given.sagas, job.kind, { datastoreId, spec, nodes })]
  return {
    dry_run: true,
    settings: [],
    jobs_ahead: state.queue.length,
    jobs,
    downtime: worstOf(jobs),
    nodes_before: [],
    nodes_after: nodesOf(after, new Set()),
    price_per_hour_before: 0,
    price_per_hour_after: pricePerHour(given.catalogue, spec) ?? null,
  }
}
