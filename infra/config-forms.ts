import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** `10/200`: ten a second, two hundred at once. */
export const rate = (usual: string) =>
  z
    .string()
    .regex(/^(off|\d{1,6}(\.\d{1,3})?\/\d{1,7})$/)
    .default(usual)
    .transform((text) => {
      const [perSecond = 0, burst = 0] = text.split('/').map(Number)
      return text === 'off' ? undefined : { perSecond, burst }
    })
    .refine((found) => found === undefined || (found.perSecond > 0 && found.burst > 0), 'more than nothing')

/** Keys that come by plain http could be anybody's, save from this machine. */
export const JwksUrl = z.url().refine((url) => /^(https:|http:\/\/(127\.|localhost[:/]))/.test(url), 'https, or this machine')

const Issuers = z.array(
  z.union([
    z.strictObject({ issuer: z.string().min(1).max(255), public_key_pem: z.string() }),
    z.strictObject({ issuer: z.string().min(1).max(255), jwks_url: JwksUrl }),
  ]),
)

/** Origins, separated by commas. */
export const origins = z
  .string()
  .default('')
  .transform((text) => text.split(',').map((origin) => origin.trim()).filter((origin) => origin !== ''))
  .pipe(z.array(z.url({ protocol: /^https?$/ }).transform((url) => new URL(url).origin)))

/**
 * Who may vouch for users: those of the file, and the one that has settings of his own.
 *
 * @throws when the file holds something else, or the one lacks his key
 */
export const issuersOf = (env: {
  readonly JWT_PUBLIC_KEY_ID?: string | undefined
  readonly JWT_PUBLIC_KEY_PEM?: string | undefined
  readonly JWT_JWKS_URL?: string | undefined
  readonly JWT_ISSUERS_FILE?: string | undefined
}) => {
  const { JWT_PUBLIC_KEY_ID: issuer, JWT_PUBLIC_KEY_PEM: publicKeyPem, JWT_JWKS_URL: jwksUrl, JWT_ISSUERS_FILE: file } = env
  const filed = file === undefined ? [] : Issuers.parse(JSON.parse(readFileSync(file, 'utf8')))
  const own = issuer === undefined ? [] : publicKeyPem === undefined ? keysOf(issuer, jwksUrl) : [{ issuer, publicKeyPem }]
  return [
    ...own,
    ...filed.map((one) =>
      'jwks_url' in one
        ? { issuer: one.issuer, jwksUrl: one.jwks_url }
        : { issuer: one.issuer, publicKeyPem: one.public_key_pem },
    ),
  ]
}

const keysOf = (issuer: string, jwksUrl: string | undefined) => {
  if (jwksUrl === undefined) {
    throw new Error('Bad environment:\nJWT_PUBLIC_KEY_ID needs JWT_PUBLIC_KEY_PEM or JWT_JWKS_URL')
  }
  return [{ issuer, jwksUrl }]
}
