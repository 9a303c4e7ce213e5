import { z } from 'zod'
import { passwordFault } from '../../domain/account/password-rules.ts'
import { type Endpoint, endpoint, Refused } from '../../domain/kernel/endpoint.ts'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import type { Outbox } from '../../domain/kernel/mail.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import type { Instant } from '../../domain/kernel/time.ts'
import { causeOf } from '../cause.ts'
import { derivedId, freshId } from '../ids.ts'
import { isAddress, passwordChangedMail, type Reader, resetMail } from './mails.ts'
import type { Attempts, Credentials, Directory, MailTokens, Sessions, Throttle } from './ports.ts'
import { presentedToken } from './presented.ts'
import { forbidden, invalidCredentials, malformedPassword, tokenOver, tooManyAttempts } from './refusals.ts'
import { causeBy, sendToAccount } from './register.ts'

export type Passwords = {
  readonly store: Pick<EventStore, 'read' | 'append'>
  readonly directory: Pick<Directory, 'accountById' | 'accountByLogin' | 'clientsOf'>
  readonly credentials: Pick<Credentials, 'verify' | 'set'>
  readonly sessions: Pick<Sessions, 'find' | 'endAllOf'>
  readonly attempts: Attempts
  readonly mailTokens: MailTokens
  readonly throttle: Throttle
  readonly outbox: Outbox
  readonly personal: Pick<PersonalData, 'seal'>
  readonly now: () => Instant
  readonly publicUrl: string
  readonly traceparent: () => string | undefined
  /** Does something after the answer, and tells an operator when that fails. */
  readonly later: (work: () => Promise<void>) => void
}

const RESET_MS = 60 * 60 * 1000
const tag = 'Authentication'
const given = z.string().min(1).max(1024)

const tell = async ({ outbox, publicUrl }: Pick<Passwords, 'outbox' | 'publicUrl'>, reader: Reader, commandId: string) => {
  if (isAddress(reader.login)) await outbox.put(passwordChangedMail(reader, { commandId, publicUrl }))
}

const change = (options: Passwords): Endpoint =>
  endpoint({
    method: 'POST',
    path: '/api/auth/password',
    summary: 'Change the password; other sessions end',
    tag,
    access: 'user',
    needs: 'self',
    body: z.object({ old_password: given, new_password: given }),
    replies: { 200: { description: 'It is changed.', schema: z.object({}) } },
    handle: async (request) => {
      const { directory, credentials, sessions, attempts, personal, now, traceparent } = options
      const { principal, address, header, body } = request
      if (principal.kind === 'client') throw forbidden('a client cannot change the password of the one it acts for')
      const account = await directory.accountById(principal.userId)
      if (account === undefined) throw new Error('BUG: one who is signed in has an account')
      const { accountId, login } = account
      const fault = passwordFault(body.new_password, login)
      if (fault !== undefined) throw malformedPassword('new_password', fault)
      // Whoever has got hold of a session must not find the password out by it.
      const waitSeconds = await attempts.begin(login, address)
      if (waitSeconds !== undefined) throw tooManyAttempts(waitSeconds)
      if (!(await credentials.verify(accountId, body.old_password))) throw invalidCredentials('old_password is wrong')
      await attempts.succeed(login, address)
      const cause = await causeOf(request, freshId(), { seal: personal.seal, traceparent: traceparent() })
      const data = { accountId, by: 'password', now: now() } as const
      const outcome = await sendToAccount(options)({ type: 'ChangePassword', data }, { ...cause, organisationId: accountId })
      if ('rejection' in outcome) throw new Refused(outcome.rejection)
      const own = await sessions.find(presentedToken(header) ?? '')
      await credentials.set(accountId, body.new_password, { keeping: own?.sessionId })
      await tell(options, account, cause.commandId)
      return { status: 200, body: {}, position: outcome.position }
    },
  })

/** Whatever the login, the answer and its time are the same: all that depends on it comes after. */
const requestReset = (options: Passwords): Endpoint =>
  endpoint({
    method: 'POST',
    path: '/api/auth/password-reset',
    summary: 'Ask for a mail by which the password can be set',
    tag,
    access: 'public',
    body: z.object({ login: z.string().trim().min(1).max(254) }),
    replies: {
      202: { description: 'If there is such a login, a mail is on its way to it.', schema: z.object({}) },
    },
    handle: async ({ body: { login }, address }) => {
      const { directory, throttle, mailTokens, outbox, publicUrl } = options
      const waitSeconds = await throttle.take('reset-from-address', address)
      if (waitSeconds !== undefined) throw tooManyAttempts(waitSeconds)
      options.later(async () => {
        const account = await directory.accountByLogin(login)
        if (account === undefined || account.suspended || !isAddress(account.login)) return
        if ((await throttle.take('reset-of-login', account.accountId)) !== undefined) return
        const token = await mailTokens.issue(account.accountId, 'reset', RESET_MS)
        await outbox.put(resetMail(account, { token, publicUrl }))
      })
      return { status: 202, body: {} }
    },
  })

/**
 * An account that was never confirmed may have been registered by somebody else, who waits for its owner: what he has made
 * to come back by is taken away.
 */
const revokeClients = async (options: Passwords, accountId: string): Promise<void> => {
  const send = sendToAccount(options)
  for (const { clientId } of await options.directory.clientsOf(accountId)) {
    const data = { accountId, clientId, now: options.now() }
    await send({ type: 'RevokeClient', data }, causeBy({ kind: 'user', id: accountId }, accountId))
    await options.sessions.endAllOf(clientId)
  }
}

const completeReset = (options: Passwords): Endpoint =>
  endpoint({
    method: 'POST',
    path: '/api/auth/password-reset/complete',
    summary: 'Set the password by the token that was mailed; all sessions and tokens end',
    tag,
    access: 'public',
    body: z.object({ token: z.string().min(1).max(200), password: given }),
    replies: { 200: { description: 'It is set.', schema: z.object({}) } },
    handle: async ({ body: { token, password }, address }) => {
      const { directory, credentials, mailTokens, throttle, now } = options
      const waitSeconds = await throttle.take('mail-token-from-address', address)
      if (waitSeconds !== undefined) throw tooManyAttempts(waitSeconds)
      const accountId = await mailTokens.accountOf(token, 'reset')
      const account = accountId === undefined ? undefined : await directory.accountById(accountId)
      if (accountId === undefined || account === undefined) throw tokenOver()
      const fault = passwordFault(password, account.login)
      if (fault !== undefined) throw malformedPassword('password', fault)
      if (account.toConfirm) await revokeClients(options, accountId)
      // One command for one token, so that a repeat after a fault tells nothing twice.
      const cause = { ...causeBy({ kind: 'user', id: accountId }, accountId), commandId: derivedId('reset', token) }
      const command = { type: 'ChangePassword', data: { accountId, by: 'mail', now: now() } } as const
      const outcome = await sendToAccount(options)(command, cause)
      if ('rejection' in outcome) throw tokenOver()
      if (!(await credentials.set(accountId, password, { spending: token }))) throw tokenOver()
      await tell(options, account, cause.commandId)
      return { status: 200, body: {}, position: outcome.position }
    },
  })

/** Changing a password, and setting it by way of a mail. */
export const passwordEndpoints = (options: Passwords): readonly Endpoint[] => [
  change(options),
  requestReset(options),
  completeReset(options),
]
