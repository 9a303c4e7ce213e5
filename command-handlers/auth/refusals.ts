import { Refused } from '../../domain/kernel/endpoint.ts'

export type AuthRejection =
  | 'email-not-verified'
  | 'forbidden'
  | 'invalid-credentials'
  | 'invalid-jwt'
  | 'issuer-unreachable'
  | 'malformed-password'
  | 'registration-closed'
  | 'session-not-found'
  | 'token-over'
  | 'too-many-attempts'

/** The same words whether the login is unknown or the password wrong: who has an account is nobody's business. */
export const invalidCredentials = (because = 'Invalid credentials'): Refused =>
  new Refused({ rejected: 'invalid-credentials' satisfies AuthRejection, because })

export const tooManyAttempts = (retryAfterSeconds: number): Refused =>
  new Refused({
    rejected: 'too-many-attempts' satisfies AuthRejection,
    because: `too many attempts; try again in ${retryAfterSeconds} s`,
    retryAfterSeconds,
  })

export const forbidden = (because: string): Refused =>
  new Refused({ rejected: 'forbidden' satisfies AuthRejection, because })

/** @param field of the request, in which the password came */
export const malformedPassword = (field: string, because: string): Refused =>
  new Refused({ rejected: 'malformed-password' satisfies AuthRejection, because: `${field}: ${because}` })

/** What was mailed is used up, over, or never was. */
export const tokenOver = (): Refused =>
  new Refused({
    rejected: 'token-over' satisfies AuthRejection,
    because: 'this token is used up, over, or never was; ask for another',
  })

export const registrationClosed = (): Refused =>
  new Refused({ rejected: 'registration-closed' satisfies AuthRejection, because: 'nobody registers himself here' })

export const sessionNotFound = (): Refused =>
  new Refused({ rejected: 'session-not-found' satisfies AuthRejection, because: 'there is no such session' })

/** One sentence for whatever is wrong with it: who signs tokens must not learn from us what would pass. */
export const invalidJwt = (): Refused =>
  new Refused({ rejected: 'invalid-jwt' satisfies AuthRejection, because: 'the token does not hold' })

export const issuerUnreachable = (): Refused =>
  new Refused({
    rejected: 'issuer-unreachable' satisfies AuthRejection,
    because: 'the keys of the issuer cannot be had at the moment',
    retryAfterSeconds: 5,
  })
