import { z } from 'zod'
import { account, type Account, type AccountCommand, type AccountEvent } from '../domain/account/account.ts'
import { type Endpoint, endpoint, Refused, type Request } from '../domain/kernel/endpoint.ts'
import type { Cause, Position } from '../domain/kernel/event-store.ts'
import type { ErasureRejection } from './auth/erase.ts'
import type { Credentials, Sessions } from './auth/ports.ts'
import { forbidden } from './auth/refusals.ts'
import { fold, handle } from './handle.ts'
import { derivedId } from './ids.ts'
import { leaveOrganisations, type Leaving } from './organisations/leaving.ts'
import { asking, type Sending } from './sending.ts'

export type AdminUsers = Sending & {
  readonly sessions: Pick<Sessions, 'endAllOf'>
  readonly credentials: Pick<Credentials, 'forget'>
  readonly organisations: Pick<Leaving, 'holdings' | 'idsOf'>
  /** What else ends with an account. Each may be called again. */
  readonly endings: readonly ((accountId: string) => Promise<void>)[]
}

const PATH = '/api/admin/users'
const tag = 'Administration'
const params = z.object({ id: z.uuid().toLowerCase() })

const changeBody = z
  .object({
    suspend: z.object({ reason: z.string().trim().min(1).max(1_000) }).optional(),
    unsuspend: z.object({}).optional(),
  })
  .refine(({ suspend, unsuspend }) => (suspend === undefined) !== (unsuspend === undefined), {
    message: 'say either suspend or unsuspend',
    path: ['suspend'],
  })

type Asked = Request<unknown, unknown, unknown>

const toolsOf = (options: AdminUsers) => {
  const { store, around = (send) => send } = options
  const { cause, once } = asking(options)
  const toAccount = around(handle({ store }, account, ({ data }) => `account-${data.accountId}`))
  return {
    once,
    /** It is written in the trail of the one whom it concerns. */
    causeAbout: async (request: Asked, commandId: string, organisationId: string): Promise<Cause> => ({
      ...(await cause(request, commandId)),
      organisationId,
    }),
    send: async (command: AccountCommand, because: Cause): Promise<Position | undefined> => {
      const outcome = await toAccount(command, because)
      if ('rejection' in outcome) throw new Refused(outcome.rejection)
      return outcome.position
    },
    /** @throws Refused `account-not-found`, also for one that is erased: its key is destroyed, and nothing of it can be said */
    known: async (accountId: string): Promise<void> => {
      const { state } = await fold<AccountEvent, Account>({ store }, account, `account-${accountId}`)
      if (state.status === 'registered' || state.status === 'deleted') return
      throw new Refused({ rejected: 'account-not-found', because: `there is no user ${accountId}` })
    },
  }
}

type Tools = ReturnType<typeof toolsOf>

/** An operator who locks himself out leaves nobody who lets him in again. */
const refuseOneself = ({ principal }: Asked, accountId: string): void => {
  if (principal.userId === accountId) throw forbidden('operators do not do this to themselves')
}

const change = ({ personal, sessions, now }: AdminUsers, { once, known, send, causeAbout }: Tools): Endpoint =>
  endpoint({
    method: 'POST',
    path: `${PATH}/:id`,
    summary: 'Suspend a user, or let him in again; what he owns keeps running',
    tag,
    access: 'admin',
    params,
    body: changeBody,
    replies: { 200: { description: 'He cannot sign in, and is signed out everywhere; or he may again.', schema: z.object({}) } },
    handle: async (request) => {
      const { params: { id: accountId }, body: { suspend } } = request
      refuseOneself(request, accountId)
      const body = suspend === undefined ? { unsuspend: {} } : { suspend }
      return once(request, { method: 'POST', path: `${PATH}/${accountId}`, body }, async (commandId) => {
        await known(accountId)
        const why = await causeAbout(request, commandId, accountId)
        const about = { accountId, now: now() }
        if (suspend === undefined) {
          return { status: 200, body: {}, position: await send({ type: 'UnsuspendAccount', data: about }, why) }
        }
        const reason = await personal.seal(accountId, suspend.reason)
        const position = await send({ type: 'SuspendAccount', data: { ...about, reason } }, why)
        await sessions.endAllOf(accountId)
        return { status: 200, body: {}, position }
      })
    },
  })

/** @throws Refused `organisation-in-use` */
const refuseInUse = async ({ organisations }: AdminUsers, accountId: string): Promise<void> => {
  const held = await organisations.holdings(accountId)
  if (held.length === 0) return
  throw new Refused({
    rejected: 'organisation-in-use' satisfies ErasureRejection,
    because: `the user still has something; delete that first: ${held.slice(0, 10).join(', ')}`,
  })
}

const remove = (options: AdminUsers, { once, known, send, causeAbout }: Tools): Endpoint => {
  const { store, sessions, credentials, organisations, endings, now } = options
  return endpoint({
    method: 'DELETE',
    path: `${PATH}/:id`,
    summary: 'Delete a user who has nothing any more; he leaves his organisations',
    tag,
    access: 'admin',
    params,
    replies: { 200: { description: 'Nobody signs in as him any more.', schema: z.object({ deleted: z.literal(true) }) } },
    handle: async (request) => {
      const { id: accountId } = request.params
      refuseOneself(request, accountId)
      return once(request, { method: 'DELETE', path: `${PATH}/${accountId}`, body: null }, async (commandId) => {
        await known(accountId)
        await refuseInUse(options, accountId)
        await leaveOrganisations({ store, ...organisations, now }, accountId, (organisationId) =>
          causeAbout(request, derivedId('leave', commandId, organisationId), organisationId),
        )
        const why = await causeAbout(request, commandId, accountId)
        const position = await send({ type: 'DeleteAccount', data: { accountId, now: now() } }, why)
        await sessions.endAllOf(accountId)
        const { events } = await fold<AccountEvent, Account>({ store }, account, `account-${accountId}`)
        const clients = events.flatMap(({ type, data }) => (type === 'ClientCreated' ? [data.clientId] : []))
        await credentials.forget([accountId, ...clients])
        for (const end of endings) await end(accountId)
        return { status: 200, body: { deleted: true }, position }
      })
    },
  })
}

/** What operators do to users. */
export const adminUserEndpoints = (options: AdminUsers): readonly Endpoint[] => {
  const tools = toolsOf(options)
  return [change(options, tools), remove(options, tools)]
}
