import { createHmac, randomBytes } from 'node:crypto'

const PREFIX = 'whsec_'
const KEY_BYTES = 32

/** A signing secret as it is told to the receiver: `whsec_` and 32 random bytes in base64. */
export const newSigningSecret = (): string => `${PREFIX}${randomBytes(KEY_BYTES).toString('base64')}`

/**
 * The value of the header `webhook-signature` (Standard Webhooks 1.0): for each secret one signature, so that a receiver
 * may know either of them.
 *
 * @param secrets as `newSigningSecret` makes them
 * @param message.id the same for each attempt
 * @param message.timestampSeconds of this attempt, since 1970
 * @param message.body exactly as it is sent
 */
export const signatures = (
  secrets: readonly string[],
  { id, timestampSeconds, body }: { readonly id: string; readonly timestampSeconds: number; readonly body: string },
): string =>
  secrets
    .map((secret) => {
      const key = Buffer.from(secret.slice(PREFIX.length), 'base64')
      return `v1,${createHmac('sha256', key).update(`${id}.${timestampSeconds}.${body}`).digest('base64')}`
    })
    .join(' ')
