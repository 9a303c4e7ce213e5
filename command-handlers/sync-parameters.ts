import type { Request } from '../domain/kernel/endpoint.ts'
import { isAfter, type Position } from '../domain/kernel/event-store.ts'
import type { ParameterGroup } from '../domain/parameter-group/parameter-group.ts'
import type { CommandEndpoints } from './datastore-tools.ts'
import { derivedId } from './ids.ts'
import { changeTo, type GroupTools, kindOf } from './parameter-group-tools.ts'

type Making = { readonly request: Request<unknown, unknown, unknown>; readonly commandId: string }
type Synced = {
  readonly jobs: readonly { readonly datastoreId: string; readonly jobId: string }[]
  /** Of the last of the jobs. */
  readonly position: Position | undefined
}

/** Queues a job for each datastore that has a group, and gives it the group's values. Those that have it no more refuse. */
export const syncing =
  (options: CommandEndpoints, { cause, sendToDatastore }: GroupTools) =>
  async ({ request, commandId }: Making, groupId: string, group: ParameterGroup): Promise<Synced> => {
    const { now } = options
    const change = { ...changeTo(kindOf(options, group), groupId, group.values), ofItsGroup: true } as const
    const jobs: { readonly datastoreId: string; readonly jobId: string }[] = []
    let position: Position | undefined
    for (const datastoreId of Object.keys(group.chosenFor).toSorted()) {
      const jobId = derivedId('job', commandId, datastoreId)
      const data = { datastoreId, jobId, change, now: now() }
      const because = await cause(request, derivedId('sync', commandId, datastoreId))
      const outcome = await sendToDatastore({ type: 'ChangeDatastore', data }, { ...because, correlationId: commandId })
      if ('rejection' in outcome) continue
      jobs.push({ datastoreId, jobId })
      position = position === undefined || (outcome.position !== undefined && isAfter(outcome.position, position))
        ? outcome.position
        : position
    }
    return { jobs, position }
  }
