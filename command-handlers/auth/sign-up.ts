import { z } from 'zod'
import { passwordFault } from '../../domain/account/password-rules.ts'
import { type Endpoint, endpoint, Refused } from '../../domain/kernel/endpoint.ts'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import type { Outbox } from '../../domain/kernel/mail.ts'
import { OrganisationErased } from '../../domain/kernel/sealed.ts'
import { derivedId } from '../ids.ts'
import { confirmationMail, isAddress, type Reader } from './mails.ts'
import { type Opening, openSession } from './opening.ts'
import type { AccountView, Credentials, Directory, MailTokens, Throttle } from './ports.ts'
import { forbidden, malformedPassword, registrationClosed, tokenOver, tooManyAttempts } from './refusals.ts'
import { causeBy, registerAccount, sendToAccount } from './register.ts'
import { Flat, flatOf } from './shapes.ts'

export type SignUp = Opening & {
  readonly store: Pick<EventStore, 'read' | 'append'>
  readonly directory: Pick<Directory, 'accountById'>
  readonly credentials: Pick<Credentials, 'keep' | 'issue'>
  readonly mailTokens: MailTokens
  readonly throttle: Throttle
  readonly outbox: Outbox
  /** Whether anyone may register himself. */
  readonly registrationOpen: boolean
  readonly publicUrl: string
}

const CONFIRM_MS = 3 * 24 * 60 * 60 * 1000
const TERMS = ['TermsAndConditionsV1', 'PrivacyPolicyV1'] as const
const tag = 'Authentication'

const name = z.string().trim().max(100).regex(/^\P{C}*$/u, 'no control characters').default('')

/** Older clients write the names of the terms with a small first letter. */
const Terms = z
  .record(z.string().max(100), z.boolean())
  .nullish()
  .transform((given) => {
    const accepted = new Set(Object.entries(given ?? {}).flatMap(([term, yes]) => (yes ? [term.toLowerCase()] : [])))
    return TERMS.filter((term) => accepted.has(term.toLowerCase()))
  })

const RegisterBody = z.object({
  login: z.string().trim().max(254).pipe(z.email()),
  password: z.string().min(1).max(1024),
  firstName: name,
  lastName: name,
  termsAccepted: Terms,
  allowNewsletters: z.boolean().nullish(),
  origin: z.string().max(100).nullish(),
})

const sendConfirmation = async (
  { mailTokens, outbox, publicUrl }: Pick<SignUp, 'mailTokens' | 'outbox' | 'publicUrl'>,
  reader: Reader,
): Promise<void> => {
  const token = await mailTokens.issue(reader.accountId, 'confirm', CONFIRM_MS)
  await outbox.put(confirmationMail(reader, { token, publicUrl }))
}

const loginTaken = (): Refused => new Refused({ rejected: 'login-taken', because: 'this login is taken' })

/** Takes no idempotency key: it is anonymous, and its reply sets a cookie. */
const register = (options: SignUp): Endpoint =>
  endpoint({
    method: 'POST',
    path: '/api/auth/register',
    summary: 'Register',
    tag,
    access: 'public',
    body: RegisterBody,
    replies: { 201: { description: 'Registered and signed in; a mail asks to confirm the address.', schema: Flat } },
    handle: async (request) => {
      const { throttle, registrationOpen, now } = options
      if (!registrationOpen) throw registrationClosed()
      const { login, password, firstName, lastName, termsAccepted: terms } = request.body
      const fault = passwordFault(password, login)
      if (fault !== undefined) throw malformedPassword('password', fault)
      const waitSeconds = await throttle.take('register-from-address', request.address)
      if (waitSeconds !== undefined) throw tooManyAttempts(waitSeconds)
      const person = { login, password, firstName, lastName, isAdmin: false, toConfirm: true, terms } as const
      const made = await registerAccount(options, person, 'himself').catch((error: unknown) => {
        // The login of an organisation that is erased is never given to another.
        if (error instanceof OrganisationErased) throw loginTaken()
        throw error
      })
      if ('rejection' in made) throw new Refused(made.rejection)
      const { accountId, position } = made
      await sendConfirmation(options, { accountId, login })
      const own = { accountId, login, firstName, lastName, terms, createdAt: now() }
      const account: AccountView = { ...own, isAdmin: false, suspended: false, toConfirm: true }
      return { status: 201, body: flatOf(account), headers: await openSession(options, account, request), position }
    },
  })

const MailToken = z.object({ token: z.string().min(1).max(200) })

const confirm = (options: SignUp): Endpoint =>
  endpoint({
    method: 'POST',
    path: '/api/auth/confirm',
    summary: 'Confirm an e-mail address by the token that was mailed to it',
    tag,
    access: 'public',
    body: MailToken,
    replies: { 200: { description: 'It is confirmed.', schema: z.object({}) } },
    handle: async ({ body: { token }, address }) => {
      const { mailTokens, throttle, now } = options
      const waitSeconds = await throttle.take('mail-token-from-address', address)
      if (waitSeconds !== undefined) throw tooManyAttempts(waitSeconds)
      const accountId = await mailTokens.accountOf(token, 'confirm')
      if (accountId === undefined) throw tokenOver()
      const cause = { ...causeBy({ kind: 'user', id: accountId }, accountId), commandId: derivedId('confirm', token) }
      const outcome = await sendToAccount(options)({ type: 'ConfirmLogin', data: { accountId, now: now() } }, cause)
      if ('rejection' in outcome) throw tokenOver()
      await mailTokens.spend(token)
      return { status: 200, body: {}, position: outcome.position }
    },
  })

const confirmRequest = (options: SignUp): Endpoint =>
  endpoint({
    method: 'POST',
    path: '/api/auth/confirm-request',
    summary: 'Send the mail that asks to confirm the address again',
    tag,
    access: 'user',
    needs: 'self',
    replies: { 202: { description: 'It will be sent, unless there is nothing to confirm.', schema: z.object({}) } },
    handle: async ({ principal: { userId, kind } }) => {
      if (kind === 'client') throw forbidden('this is for the one whom the client acts for')
      const account = await options.directory.accountById(userId)
      if (account?.toConfirm === true && isAddress(account.login)) {
        const waitSeconds = await options.throttle.take('confirm-of-account', userId)
        if (waitSeconds !== undefined) throw tooManyAttempts(waitSeconds)
        await sendConfirmation(options, account)
      }
      return { status: 202, body: {} }
    },
  })

/** How somebody becomes an account without an operator. */
export const signUpEndpoints = (options: SignUp): readonly Endpoint[] => [
  register(options),
  confirm(options),
  confirmRequest(options),
]
