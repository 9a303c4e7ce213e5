import { createPublicKey, type KeyObject } from 'node:crypto'
import { createRemoteJWKSet, decodeJwt, errors, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { z } from 'zod'
import type { JwtClaims, JwtIssuers } from '../../command-handlers/auth/ports.ts'
import type { Instant } from '../../domain/kernel/time.ts'

/** Who may vouch for users: by one key, or by those that he publishes. */
export type Issuer =
  | { readonly issuer: string; readonly publicKeyPem: string }
  | { readonly issuer: string; readonly jwksUrl: string }

const LEEWAY_SECONDS = 60
const LIFE_SECONDS_MAX = 24 * 60 * 60
const FETCH_MS_MAX = 5_000
const JWKS_KEPT_MS = 10 * 60_000
/** How soon after the keys were asked for they may be asked for again, for a token whose key is not among them. */
const JWKS_PAUSE_MS = 30_000
const MODULUS_BITS_MIN = 2048

const seconds = z.number().min(0).max(1e11)
const word = z.string().min(1).max(255).regex(/^\P{C}+$/u)
const Claims = z
  .object({ iss: word, sub: word, jti: word, iat: seconds, exp: seconds })
  .catchall(z.json())

/** One key in PEM, `RSA PUBLIC KEY` (PKCS #1) or `PUBLIC KEY` (PKIX). */
const keyOf = ({ issuer, publicKeyPem }: { readonly issuer: string; readonly publicKeyPem: string }): KeyObject => {
  let key: KeyObject
  try {
    // An environment variable may have its line breaks written out.
    key = createPublicKey(publicKeyPem.replaceAll('\\n', '\n'))
  } catch (cause) {
    throw new Error(`the public key of the issuer ${issuer} cannot be read`, { cause })
  }
  const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
  if (key.asymmetricKeyType !== 'rsa' || modulusLength < MODULUS_BITS_MIN) {
    throw new Error(`the public key of the issuer ${issuer} is no RSA key of ${MODULUS_BITS_MIN} bits or more`)
  }
  return key
}

const getterOf = (issuer: Issuer, pauseMs: number): JWTVerifyGetKey => {
  if ('jwksUrl' in issuer) {
    return createRemoteJWKSet(new URL(issuer.jwksUrl), {
      timeoutDuration: FETCH_MS_MAX,
      cacheMaxAge: JWKS_KEPT_MS,
      cooldownDuration: pauseMs,
    })
  }
  const key = keyOf(issuer)
  return async () => key
}

/** When the token says that it is over; undefined when it says nothing of use. Nothing of this is verified. */
const saidExpiryMs = (jwt: string): number | undefined => {
  try {
    const { exp } = decodeJwt(jwt)
    return typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 : undefined
  } catch {
    return undefined
  }
}

const isUnreachable = (error: unknown): boolean =>
  !(error instanceof errors.JOSEError) || error instanceof errors.JWKSTimeout || error.code === 'ERR_JOSE_GENERIC'

/**
 * Verifies tokens of the issuers: RS256 and nothing else, whatever a token says of itself; a key in the token, or the
 * address of one, is not looked at. `exp`, `iat`, `sub` and `jti` must be there, and a token lives a day at most. Clocks may
 * differ by a minute.
 *
 * @param options.jwksPauseMs for tests
 * @throws when a key of the configuration is none
 */
export const jwtIssuers = ({ issuers, now, jwksPauseMs = JWKS_PAUSE_MS }: {
  readonly issuers: readonly Issuer[]
  readonly now: () => Instant
  readonly jwksPauseMs?: number
}): JwtIssuers => {
  const getters = new Map(issuers.map((issuer) => [issuer.issuer, getterOf(issuer, jwksPauseMs)]))

  const claimsOf = (payload: unknown, atMs: number): JwtClaims | undefined => {
    const { data } = Claims.safeParse(payload)
    if (data === undefined) return undefined
    const { iss: issuer, sub: subject, jti, iat, exp } = data
    if (iat * 1000 > atMs + LEEWAY_SECONDS * 1000 || exp <= iat || exp - iat > LIFE_SECONDS_MAX) return undefined
    const instantOf = (at: number): Instant => new Date(at * 1000).toISOString()
    return { issuer, subject, jti, issuedAt: instantOf(iat), expiresAt: instantOf(exp), all: data }
  }

  return {
    verify: async ({ issuer, jwt }, { evenIfOver = false } = {}) => {
      const getKey = getters.get(issuer)
      if (getKey === undefined) return undefined
      const nowMs = Date.parse(now())
      const overMs = saidExpiryMs(jwt)
      const atMs = evenIfOver && overMs !== undefined ? Math.min(nowMs, overMs - 1000) : nowMs
      const rules = { algorithms: ['RS256'], issuer, clockTolerance: LEEWAY_SECONDS, currentDate: new Date(atMs) }
      try {
        const { payload } = await jwtVerify(jwt, getKey, rules)
        return claimsOf(payload, nowMs)
      } catch (error) {
        return isUnreachable(error) ? 'unreachable' : undefined
      }
    },
  }
}
