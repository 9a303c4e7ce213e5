import { z } from 'zod'
import { planAutoscale } from '../domain/datastore/plan-volume.ts'
import type { Autoscale } from '../domain/datastore/spec.ts'
import { type Endpoint, endpoint, Refused } from '../domain/kernel/endpoint.ts'
import { type CommandEndpoints, datastoreParams, type Known, knownDatastore, toolsOf } from './datastore-tools.ts'
import { dryRunBody, dryRunOfChanges, dryRunQuery, rehearsed } from './dry-run.ts'
import { derivedId } from './ids.ts'

const percent = z.int().min(1).max(100)

const body = z.object({
  enabled: z.boolean().optional(),
  threshold_percent: percent.optional().meta({ description: 'How full the fullest volume may be: 50 to 95; 75 at first.' }),
  step_percent: percent.optional().meta({ description: 'By how much they grow at a time: 5 to 100; 20 at first.' }),
  max_gib: z.int().min(1).optional().meta({ description: 'How large each may become; at first what its type allows.' }),
})

const reply = z.object({
  enabled: z.boolean(),
  threshold_percent: z.int(),
  step_percent: z.int(),
  max_gib: z.int(),
})

const shown = ({ enabled, thresholdPercent, stepPercent, maxGib }: Autoscale): z.infer<typeof reply> => ({
  enabled,
  threshold_percent: thresholdPercent,
  step_percent: stepPercent,
  max_gib: maxGib,
})

const isSame = (a: Autoscale, b: Autoscale | undefined): boolean =>
  b !== undefined && JSON.stringify(shown(a)) === JSON.stringify(shown(b))

/** The call that sets how the volumes of a datastore grow by themselves. It holds at once. */
export const autoscaleEndpoint = (options: CommandEndpoints): Endpoint => {
  const { catalogue, now } = options
  const { cause, once, send } = toolsOf(options)

  const wantedOf = (state: Known, { enabled, threshold_percent, step_percent, max_gib }: z.infer<typeof body>): Autoscale => {
    const parts = { enabled, thresholdPercent: threshold_percent, stepPercent: step_percent, maxGib: max_gib }
    const wanted = planAutoscale(catalogue, state.spec, parts)
    if ('rejected' in wanted) throw new Refused(wanted)
    return wanted
  }

  return endpoint({
    method: 'PUT',
    path: '/api/v1/datastores/:uuid/autoscale',
    summary: 'Set how the volumes grow by themselves',
    tag: 'Datastores',
    access: 'user',
    params: datastoreParams,
    query: dryRunQuery,
    body,
    replies: {
      200: {
        description: 'As it is set; what was left out is as it was. Or, of a dry run, the plan.',
        schema: z.union([reply, dryRunBody]),
      },
    },
    handle: async (request) => {
      const { params: { uuid: datastoreId }, query: { dryRun }, principal: { ownerId } } = request
      const commandFor = (state: Known) => {
        const autoscale = wantedOf(state, request.body)
        return { type: 'ChangeSettings', data: { datastoreId, settings: { autoscale }, now: now() } } as const
      }
      if (dryRun) {
        const { state } = await knownDatastore(options, datastoreId, ownerId)
        const command = commandFor(state)
        rehearsed(state, [command])
        const settings = isSame(command.data.settings.autoscale, state.spec.autoscale) ? [] : ['autoscale']
        return { status: 200, body: dryRunOfChanges(options, state, { changes: [], settings }) }
      }
      const path = `/api/v1/datastores/${datastoreId}/autoscale`
      const asked = z.json().parse(JSON.parse(JSON.stringify(request.body)))
      return once(request, { method: 'PUT', path, body: asked }, async (commandId) => {
        const { state, position } = await knownDatastore(options, datastoreId, ownerId)
        const command = commandFor(state)
        const { autoscale } = command.data.settings
        if (isSame(autoscale, state.spec.autoscale)) {
          return { status: 200, body: shown(autoscale), ...(position === undefined ? {} : { position }) }
        }
        const outcome = await send(command, await cause(request, derivedId('autoscale', commandId)))
        if ('rejection' in outcome) throw new Refused(outcome.rejection)
        return { status: 200, body: shown(autoscale), position: outcome.position }
      })
    },
  })
}
