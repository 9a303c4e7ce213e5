import { z } from 'zod'
import { type Endpoint, endpoint, type Reply } from '../domain/kernel/endpoint.ts'
import { type AccessEndpoints, accessing, type Asking, type Planned } from './access-tools.ts'
import { datastoreParams, type Known } from './datastore-tools.ts'
import { dryRunBody, dryRunQuery } from './dry-run.ts'
import {
  createUserBody, droppedUserBody, dropUserBody, passwordBody, privilegesBody, rotateBody, userBody,
} from './database-user-shapes.ts'
import { planCreate, planDrop, planEndOfRotation, planPassword, planPrivileges, planRotation } from './plan-users.ts'

const tag = 'Databases and users'
const PATH = '/api/userdb/api/v1/user'
const named = z.object({ database_username: dropUserBody.shape.database_username })

type Body = { readonly database_username: string; readonly database_password?: string | undefined }

/** What repeats of a call must agree in; a password is in no event, not even as a hash that could be guessed. */
const withoutPassword = (body: Body): z.core.util.JSONType => {
  const { database_password: _, ...rest } = body
  return z.json().parse(JSON.parse(JSON.stringify(rest)))
}

const VAULT = z.object({ vault_id: z.string().optional() })

/** The calls that make, change and delete database users. */
export const databaseUserEndpoints = (options: AccessEndpoints): readonly Endpoint[] => {
  const carryOut = accessing(options)
  const { vault } = options

  /** A reply is recorded without the password, which is fetched from the vault for whoever asked, and for his repeats. */
  const told = async (
    asking: Asking,
    plan: (state: Known, commandId: string) => Promise<Planned>,
  ): Promise<Reply> => {
    const reply = await carryOut(asking, plan)
    const { success, data } = VAULT.safeParse(reply.body)
    if (!success || asking.dryRun) return reply
    const { vault_id: name, ...body } = z.record(z.string(), z.json()).parse(reply.body)
    if (data.vault_id === undefined || typeof name !== 'string') return { ...reply, body }
    const ref = { ownerId: asking.request.principal.ownerId, subjectId: asking.datastoreId, name: data.vault_id }
    const password = await vault.ensure(ref, async () => {
      throw new Error('the password is not in the vault any more')
    })
    return { ...reply, body: { ...body, database_password: password } }
  }

  const call = <B extends Body>(one: {
    readonly method: 'POST' | 'PUT' | 'DELETE'
    readonly verb: '' | `/${string}`
    readonly summary: string
    readonly body: { readonly parse: (input: unknown) => B }
    readonly replies: Endpoint['replies']
    readonly plan: (options: AccessEndpoints, state: Known, asked: B & { readonly commandId: string }) => Promise<Planned>
  }): Endpoint => {
    const { method, verb, plan, ...about } = one
    return endpoint({
      ...about,
      method,
      path: `${PATH}/:uuid${verb}`,
      tag,
      access: 'user',
      params: datastoreParams,
      query: dryRunQuery,
      handle: (request) => {
        const { params: { uuid: datastoreId }, query: { dryRun }, body } = request
        const path = `${PATH}/${datastoreId}${verb}`
        const asking = { request, datastoreId, dryRun, method, path, body: withoutPassword(body) }
        return told(asking, (state, commandId) => plan(options, state, { ...body, commandId }))
      },
    })
  }

  const changed = (description: string) => ({
    200: { description: `${description} Of a dry run: the plan.`, schema: z.union([dryRunBody, userBody]) },
  })
  return [
    call({
      method: 'POST',
      verb: '',
      summary: 'Create a database user, and his own database where that is asked for',
      body: createUserBody,
      replies: {
        200: { description: 'Of a dry run: the plan.', schema: dryRunBody },
        201: { description: 'The user; `creating` where his job has not ended yet.', schema: userBody },
      },
      plan: planCreate,
    }),
    call({
      method: 'DELETE',
      verb: '',
      summary: 'Delete a database user; what he owns becomes the administrator’s',
      body: dropUserBody,
      replies: {
        200: { description: 'He is deleted, or a job deletes him.', schema: z.union([dryRunBody, droppedUserBody]) },
      },
      plan: planDrop,
    }),
    call({
      method: 'PUT',
      verb: '/privileges',
      summary: 'Set what a database user may do, in each database',
      body: privilegesBody,
      replies: changed('It is so, for tables that are there and for those to come.'),
      plan: planPrivileges,
    }),
    call({
      method: 'PUT',
      verb: '/password',
      summary: 'Change the password of a database user, or of the administrator, at once',
      body: passwordBody,
      replies: changed('The one before holds for nobody who connects from now on; sessions stay.'),
      plan: planPassword,
    }),
    call({
      method: 'POST',
      verb: '/rotate',
      summary: 'Give a database user a new login, while the one before holds for a time',
      body: rotateBody,
      replies: changed('The new name to log in with and its password; both logins are one and the same user.'),
      plan: planRotation,
    }),
    call({
      method: 'POST',
      verb: '/end-rotation',
      summary: 'End the login before at once, and the sessions that came by it',
      body: named,
      replies: changed('Only the new login holds.'),
      plan: planEndOfRotation,
    }),
  ]
}
