import { z } from 'zod'
import type { DatastoreCommand } from '../domain/datastore/messages.ts'
import { normalisedSource } from '../domain/datastore/source.ts'
import { type Endpoint, endpoint, Refused, type Reply, type Request } from '../domain/kernel/endpoint.ts'
import { type CommandEndpoints, datastoreParams, knownDatastore, toolsOf } from './datastore-tools.ts'
import { dryRunBody, dryRunOfChanges, dryRunQuery, rehearsed } from './dry-run.ts'
import { derivedId, freshId } from './ids.ts'

const PATH = '/api/firewall/api/v1/firewall'
const SOURCES_LENGTH_MAX = 16_384
const DESCRIPTION_LENGTH_MAX = 1000

/** One source as it was written and as all ways to write it agree on. */
type Source = { readonly written: string; readonly normalised: string }

/** A list may come in one text, as an operator's paste; a source alone stays exactly as it was written. */
const source = z
  .string()
  .max(SOURCES_LENGTH_MAX)
  .transform((text, context): readonly Source[] => {
    const parts = /[;,]/.test(text) ? text.split(/[;,]/).map((part) => part.trim()).filter((part) => part !== '') : [text]
    const found = new Map<string, Source>()
    for (const written of parts) {
      const normalised = normalisedSource(written)
      if (normalised === undefined) {
        const message = `“${written.slice(0, 64)}” is neither an IPv4 or IPv6 address nor a range of them such as 10.0.0.0/24`
        context.addIssue({ code: 'custom', message })
        return z.NEVER
      }
      if (!found.has(normalised)) found.set(normalised, { written, normalised })
    }
    if (found.size === 0) context.addIssue({ code: 'custom', message: 'names no source' })
    return [...found.values()]
  })
  .meta({ description: 'An address or a range of them, or several with ; or , between them.' })

const trustBody = z.object({
  source,
  description: z
    .string()
    .max(DESCRIPTION_LENGTH_MAX)
    .nullish()
    .transform((text) => text ?? ''),
})
// One client names the description of what it deletes, too.
const revokeBody = z.object({ source, description: z.string().nullish() })

const ruleIdOf = (datastoreId: string, { normalised }: Source): string =>
  derivedId('trusted-source', datastoreId, normalised)

/**
 * The calls that say where clients may connect from. What they say holds at once, and a job carries it out.
 *
 * @param options.store where commands meet their streams
 */
export const firewallEndpoints = (options: CommandEndpoints): readonly Endpoint[] => {
  const { now, personal } = options
  const change = changing(options)
  const common = { path: `${PATH}/:uuid`, tag: 'Firewall', access: 'user', params: datastoreParams, query: dryRunQuery } as const
  const planned = { 200: { description: 'Of a dry run: the plan.', schema: dryRunBody } }
  return [
    endpoint({
      ...common,
      method: 'POST',
      summary: 'Trust a source: clients may connect from there',
      body: trustBody,
      replies: { ...planned, 201: { description: 'It is trusted; a job carries it out.', schema: z.object({}) } },
      handle: (request) => {
        const { params: { uuid: datastoreId }, body: { source: sources, description } } = request
        const { ownerId } = request.principal
        const asked = { request, datastoreId, method: 'POST', status: 201, dryRun: request.query.dryRun } as const
        return change(asked, { sources: sources.map(({ written }) => written), description }, async (jobId) => {
          const sealed = sources.map(async (one) => ({
            ruleId: ruleIdOf(datastoreId, one),
            source: await personal.seal(ownerId, one.written),
            description: await personal.seal(ownerId, description),
          }))
          const data = { datastoreId, jobId, sources: await Promise.all(sealed), now: now() }
          return { type: 'TrustSources', data }
        })
      },
    }),
    endpoint({
      ...common,
      method: 'DELETE',
      summary: 'Trust a source no more: sessions from there end, and none begins',
      body: revokeBody,
      replies: { ...planned, 202: { description: 'It is trusted no more; a job carries it out.', schema: z.object({}) } },
      handle: (request) => {
        const { params: { uuid: datastoreId }, body: { source: sources } } = request
        const asked = { request, datastoreId, method: 'DELETE', status: 202, dryRun: request.query.dryRun } as const
        return change(asked, { sources: sources.map(({ written }) => written) }, async (jobId) => {
          const data = { datastoreId, jobId, ruleIds: sources.map((one) => ruleIdOf(datastoreId, one)), now: now() }
          return { type: 'RevokeSources', data }
        })
      },
    }),
  ]
}

type Asked = {
  readonly request: Request<unknown, unknown, unknown>
  readonly datastoreId: string
  readonly method: 'POST' | 'DELETE'
  readonly status: number
  readonly dryRun: boolean
}
type Body = { readonly sources: string[]; readonly description?: string }

const changing = (options: CommandEndpoints) => {
  const { cause, once, send } = toolsOf(options)
  return async (
    { request, datastoreId, method, status, dryRun }: Asked,
    body: Body,
    commandOf: (jobId: string) => Promise<DatastoreCommand>,
  ): Promise<Reply> => {
    const { ownerId } = request.principal
    if (dryRun) {
      const { state } = await knownDatastore(options, datastoreId, ownerId)
      const after = rehearsed(state, [await commandOf(freshId())])
      const isQueued = after.queue.length > state.queue.length
      const changes = isQueued ? [{ kind: 'apply-firewall' } as const] : []
      return { status: 200, body: dryRunOfChanges(options, state, { changes, settings: ['firewall'] }) }
    }
    return once(request, { method, path: `${PATH}/${datastoreId}`, body }, async (commandId) => {
      await knownDatastore(options, datastoreId, ownerId)
      const outcome = await send(await commandOf(derivedId('job', commandId)), await cause(request, commandId))
      if ('rejection' in outcome) throw new Refused(outcome.rejection)
      return { status, body: {}, position: outcome.position }
    })
  }
}
