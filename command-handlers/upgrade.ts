import { z } from 'zod'
import type { Change } from '../domain/datastore/changes/index.ts'
import { planned } from '../domain/datastore/datastore.ts'
import type { DatastoreCommand } from '../domain/datastore/messages.ts'
import { planUpgrade, upgradeDue } from '../domain/datastore/upgrade.ts'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'
import { CLUSTER_PATH, type CommandEndpoints, datastoreParams, type Known, knownDatastore, toolsOf } from './datastore-tools.ts'
import { dryRunBody, dryRunOfChanges, dryRunQuery, rehearsed } from './dry-run.ts'
import { derivedId, freshId, nodesOf } from './ids.ts'

const upgradeBody = z.object({
  when: z.enum(['now', 'window', 'never']).default('now').meta({
    description: '`window`: when the maintenance window opens next. `never`: takes that back.',
  }),
})

const takenBody = z.object({
  when: upgradeBody.shape.when,
  job_id: z.uuid().nullable().meta({ description: 'The first of the jobs; null where none is begun now.' }),
  job_ids: z.array(z.uuid()).meta({ description: 'One job for each node, one after the other, the primary last.' }),
})

export type UpgradeRejection = 'nothing-to-upgrade'

type When = z.infer<typeof upgradeBody>['when']
type Planned = { readonly command: DatastoreCommand; readonly commandId: string }
type Upgrade = {
  readonly commands: readonly Planned[]
  readonly changes: readonly Change[]
  readonly settings: readonly string[]
  readonly jobIds: readonly string[]
}

/**
 * Replaces every node that was built before the newest image and software, or says that this is to be done in the window.
 *
 * @param options.catalogue says since when there is something newer
 */
export const upgradeEndpoint = (options: CommandEndpoints): Endpoint => {
  const { cause, once, send } = toolsOf(options)
  return endpoint({
    method: 'POST',
    path: `${CLUSTER_PATH}/:uuid/upgrade`,
    summary: 'Upgrade a datastore within its version',
    tag: 'Datastores',
    access: 'user',
    params: datastoreParams,
    query: dryRunQuery,
    body: upgradeBody,
    replies: {
      200: { description: 'Of a dry run: the plan.', schema: dryRunBody },
      202: { description: 'Every outdated node is replaced by one of today, by a job each.', schema: takenBody },
    },
    handle: async (request) => {
      const { params: { uuid: datastoreId }, query: { dryRun }, body: { when } } = request
      const prepare = async (commandId: string) => {
        const { state, position } = await knownDatastore(options, datastoreId, request.principal.ownerId)
        const upgrade = upgradeOf(options, state, when, commandId)
        rehearsed(state, upgrade.commands.map(({ command }) => command))
        return { state, position, upgrade }
      }
      if (dryRun) {
        const { state, upgrade: { changes, settings } } = await prepare(freshId())
        return { status: 200, body: dryRunOfChanges(options, state, { changes, settings }) }
      }
      const path = `${CLUSTER_PATH}/${datastoreId}/upgrade`
      return once(request, { method: 'POST', path, body: { when } }, async (keyedId) => {
        const { upgrade: { commands, jobIds }, ...prepared } = await prepare(keyedId)
        let { position } = prepared
        for (const { command, commandId } of commands) {
          const outcome = await send(command, { ...(await cause(request, commandId)), correlationId: keyedId })
          if ('rejection' in outcome) throw new Refused(outcome.rejection)
          position = outcome.position
        }
        return { status: 202, body: { when, job_id: jobIds[0] ?? null, job_ids: [...jobIds] }, position }
      })
    },
  })
}

const upgradeOf = (
  { catalogue, now }: Pick<CommandEndpoints, 'catalogue' | 'now'>,
  state: Known,
  when: When,
  commandId: string,
): Upgrade => {
  const { datastoreId, built, jobsSeen } = state
  const about = { datastoreId, now: now() }
  const shape = planned(state)
  const jobIdOf = (nodeId: string): string => derivedId('job', commandId, nodeId)
  // Of a request that was cut off, and comes again: in the order they were asked for.
  const own = new Set(Object.keys(built).map(jobIdOf))
  const taken = [...jobsSeen].filter((jobId) => own.has(jobId))
  const due = upgradeDue(shape.spec, built, catalogue, about.now)
  if (when !== 'never' && due.length === 0 && taken.length === 0) {
    const rejected: UpgradeRejection = 'nothing-to-upgrade'
    throw new Refused({ rejected, because: 'every node was built from what is the newest' })
  }
  if (when !== 'now') {
    const upgradeInWindow = when === 'never' ? null : (catalogue.serverConfig ?? null)
    const command = { type: 'ChangeSettings', data: { ...about, settings: { upgradeInWindow } } } as const
    const commands = [{ command, commandId: derivedId('settings', commandId) }]
    return { commands, changes: [], settings: ['upgrade'], jobIds: [] }
  }
  const changes = planUpgrade(shape, due, built, nodesOf(commandId, 2 * shape.spec.nodes.length))
  const commands = changes.map((change): Planned => {
    const data = { ...about, jobId: jobIdOf(change.nodeId), change }
    return { command: { type: 'ChangeDatastore', data }, commandId: derivedId('command', commandId, change.nodeId) }
  })
  return { commands, changes, settings: [], jobIds: [...taken, ...changes.map(({ nodeId }) => jobIdOf(nodeId))] }
}
