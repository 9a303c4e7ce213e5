import { Refused } from '../../domain/kernel/endpoint.ts'

export type AuthRejection = 'invalid-credentials' | 'too-many-attempts' | 'forbidden'

/** The same words whether the login is unknown or the password wrong: who has an account is nobody's business. */
export const invalidCredentials = (because = 'Invalid credentials'): Refused =>
  new Refused({ rejected: 'invalid-credentials' satisfies AuthRejection, because })

export const tooManyAttempts = (retryAfterSeconds: number): Refused =>
  new Refused({
    rejected: 'too-many-attempts' satisfies AuthRejection,
    because: `too many failed attempts; try again in ${retryAfterSeconds} s`,
    retryAfterSeconds,
  })

export const forbidden = (because: string): Refused =>
  new Refused({ rejected: 'forbidden' satisfies AuthRejection, because })
