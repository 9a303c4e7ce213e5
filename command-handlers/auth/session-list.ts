import { z } from 'zod'
import { type Endpoint, endpoint, type Principal, type Request } from '../../domain/kernel/endpoint.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import type { Sessions } from './ports.ts'
import { presentedToken } from './presented.ts'
import { forbidden, sessionNotFound } from './refusals.ts'

export type SessionList = {
  readonly sessions: Pick<Sessions, 'find' | 'listOf' | 'endOne' | 'endOthers'>
  readonly personal: Pick<PersonalData, 'open'>
}

const PATH = '/api/v1/sessions'
const tag = 'Authentication'
const instant = z.iso.datetime({ offset: true })

const Session = z.object({
  id: z.uuid(),
  created_at: instant,
  last_seen_at: instant,
  expires_at: instant,
  address: z.string().nullable(),
  user_agent: z.string().nullable(),
  current: z.boolean(),
})

const refuseClients = ({ kind }: Principal): void => {
  if (kind === 'client') throw forbidden('sessions are seen to by the one they belong to, not by clients')
}

const currentOf = async ({ sessions }: SessionList, { header }: Pick<Request<unknown, unknown, unknown>, 'header'>) =>
  (await sessions.find(presentedToken(header) ?? ''))?.sessionId

const list = (options: SessionList): Endpoint =>
  endpoint({
    method: 'GET',
    path: PATH,
    summary: 'List the sessions of the one who asks, newest first',
    tag,
    access: 'user',
    needs: 'self',
    replies: { 200: { description: 'His sessions.', schema: z.object({ sessions: z.array(Session) }) } },
    handle: async (request) => {
      refuseClients(request.principal)
      const current = await currentOf(options, request)
      const found = await options.sessions.listOf(request.principal.userId)
      const texts = await options.personal.open(found.flatMap(({ address, agent }) => [address ?? '', agent ?? '']))
      const rows = found.map(({ sessionId, createdAt, lastSeenAt, expiresAt, address, agent }, n) => ({
        id: sessionId,
        created_at: createdAt,
        last_seen_at: lastSeenAt,
        expires_at: expiresAt,
        address: address === null ? null : (texts[2 * n] ?? null),
        user_agent: agent === null ? null : (texts[2 * n + 1] ?? null),
        current: sessionId === current,
      }))
      return { status: 200, body: { sessions: rows } }
    },
  })

const revoke = (options: SessionList): Endpoint =>
  endpoint({
    method: 'DELETE',
    path: `${PATH}/:session_id`,
    summary: 'End a session',
    tag,
    access: 'user',
    needs: 'self',
    params: z.object({ session_id: z.uuid().toLowerCase() }),
    replies: { 200: { description: 'It is over.', schema: z.object({}) } },
    handle: async ({ principal, params }) => {
      refuseClients(principal)
      if (!(await options.sessions.endOne(principal.userId, params.session_id))) throw sessionNotFound()
      return { status: 200, body: {} }
    },
  })

const revokeOthers = (options: SessionList): Endpoint =>
  endpoint({
    method: 'DELETE',
    path: PATH,
    summary: 'End all sessions but the one that asks; with `current=true` that one too',
    tag,
    access: 'user',
    needs: 'self',
    query: z.object({ current: z.enum(['true', 'false']).optional() }),
    replies: { 200: { description: 'They are over.', schema: z.object({ ended: z.int() }) } },
    handle: async (request) => {
      refuseClients(request.principal)
      const keep = request.query.current === 'true' ? undefined : await currentOf(options, request)
      return { status: 200, body: { ended: await options.sessions.endOthers(request.principal.userId, keep) } }
    },
  })

/** The sessions of the one who is signed in. */
export const sessionEndpoints = (options: SessionList): readonly Endpoint[] => [
  list(options),
  revoke(options),
  revokeOthers(options),
]
