import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { registerAccount } from '../../command-handlers/auth/register.ts'
import { accountIdOf } from '../../command-handlers/ids.ts'
import { organisationEndpoints } from '../../command-handlers/organisations/endpoints.ts'
import type { Endpoint } from '../../domain/kernel/endpoint.ts'
import type { Role } from '../../domain/kernel/roles.ts'
import { listMails, mailDb, outbox } from '../../infra/mail/outbox.ts'
import type { MailDb } from '../../infra/mail/migrations.ts'
import { knownOrganisations } from '../../infra/organisations/known.ts'
import { sealedSecrets } from '../../infra/secrets/sealed.ts'
import { READ_SCHEMA } from '../../projections/schema.ts'
import { organisations } from '../../read-api/organisations.ts'
import { type AuthStores, startAuthService } from './auth-service.ts'
import type { Answer } from './rest.ts'
import { until } from './until.ts'

const LOGIN = '/api/v2/auth/login'
export const ORGANISATIONS = '/api/v1/organisations'

/** The calls about organisations as they run, with the mails they put. */
const callsOf = async ({ store, readStore, masterKey, personal, now }: AuthStores, mails: MailDb) => {
  const sealed = sealedSecrets({ pool: readStore.pool, masterKey })
  return [
    ...organisationEndpoints({
      store,
      personal,
      organisations: knownOrganisations({ db: readStore.db, personal }),
      tokens: {
        ensure: (ref) => sealed.ensure(ref, async () => randomBytes(32).toString('base64url')),
        destroySubject: sealed.destroySubject,
      },
      outbox: outbox({ db: mails, personal, now }),
      endings: [],
      publicUrl: 'https://ccx.example',
      now,
      traceparent: () => undefined,
    }),
    ...organisations({ db: readStore.db.withSchema(READ_SCHEMA), personal }),
  ]
}

/**
 * People, who sign in by name, and their organisations.
 *
 * @param people their names
 * @param more other calls behind the same authentication
 */
export const startOrganisations = async (
  people: readonly string[],
  more: (stores: AuthStores) => Promise<readonly Endpoint[]> = async () => [],
) => {
  let opened: { readonly stores: AuthStores; readonly mails: MailDb } | undefined
  const service = await startAuthService(async (stores) => {
    opened = { stores, mails: await mailDb(stores.readStore.pool) }
    return [...(await callsOf(stores, opened.mails)), ...(await more(stores))]
  })
  if (opened === undefined) throw new Error('BUG: the stores are open')
  const { stores, mails } = opened
  const loginOf = (name: string): string => `${name}@example.com`
  const person = (name: string) => ({ login: loginOf(name), password: `the password of ${name}` })
  const cookieOf = ({ headers }: Answer): string => (headers.get('set-cookie') ?? '').split(';')[0] ?? ''
  const signIn = async (name: string): Promise<string> => cookieOf(await service.rest.ask('POST', LOGIN, { body: person(name) }))
  const cookies = new Map<string, string>()
  for (const name of people) {
    const { store, auth: { credentials }, personal, now } = stores
    const account = { ...person(name), firstName: name, lastName: 'Doe', isAdmin: name === 'olga' }
    await registerAccount({ store, credentials, personal, now }, account, { kind: 'operator', id: 'cli' })
    await until(async () => (await service.rest.ask('POST', LOGIN, { body: person(name) })).status === 200, {
      withinMs: 20_000, what: `${name} may sign in`,
    })
    cookies.set(name, await signIn(name))
  }
  const asking = (name: string, scope?: string): Readonly<Record<string, string>> => ({
    cookie: cookies.get(name) ?? '',
    ...(scope === undefined ? {} : { 'ccx-owner': scope }),
  })
  const ask = (
    name: string,
    method: string,
    path: string,
    { body, scope, headers = {} }: {
      readonly body?: unknown
      readonly scope?: string
      readonly headers?: Readonly<Record<string, string>>
    } = {},
  ): Promise<Answer> => service.rest.ask(method, path, { body, headers: { ...asking(name, scope), ...headers } })

  const found = async (name: string, called = 'Weather'): Promise<string> =>
    z.object({ id: z.uuid() }).parse((await ask(name, 'POST', ORGANISATIONS, { body: { name: called } })).body).id
  /** The token in the last mail to an address. */
  const tokenTo = async (address: string): Promise<string> => {
    const mail = (await listMails(mails, stores.personal, { limit: 1_000 })).findLast((one) => one.mail?.to === address)?.mail
    return /invitations\/([A-Za-z0-9_-]{43})\/accept/.exec(mail?.text ?? '')?.[1] ?? ''
  }
  const invite = async (by: string, organisationId: string, name: string, role: Role): Promise<string> => {
    const body = { email: loginOf(name), role }
    await ask(by, 'POST', `${ORGANISATIONS}/${organisationId}/invitations`, { body })
    return tokenTo(loginOf(name))
  }
  return {
    service,
    stores,
    mails,
    ask,
    found,
    invite,
    tokenTo,
    loginOf,
    signIn,
    person,
    idOf: (name: string): string => accountIdOf(loginOf(name)),
    /** Invited, and accepted. */
    join: async (by: string, organisationId: string, name: string, role: Role): Promise<void> => {
      const token = await invite(by, organisationId, name, role)
      const { status } = await ask(name, 'POST', `/api/v1/invitations/${token}/accept`)
      if (status !== 200) throw new Error(`${name} did not join: ${status}`)
    },
    close: (): Promise<void> => service.close(),
  }
}

export type OrganisationScene = Awaited<ReturnType<typeof startOrganisations>>
