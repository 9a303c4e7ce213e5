import { z } from 'zod'
import { createClientFor } from '../../../command-handlers/auth/register.ts'
import { OPERATOR, onAccounts } from './accounts.ts'
import { type Command, parseOptions, UsageError } from './usage.ts'

const Expiry = z.iso.datetime({ offset: true }).transform((at) => new Date(at).toISOString())

const expiryOf = (given: string | undefined): string | null => {
  if (given === undefined) return null
  const expiry = Expiry.safeParse(given)
  if (!expiry.success) throw new UsageError('--expires wants an instant such as 2031-01-31T12:00:00Z')
  return expiry.data
}

/** Makes OAuth2 client credentials for an account; the secret is printed this once. */
export const client: Command = async (args) => {
  const { values, positionals } = parseOptions(args, {
    options: { state: { type: 'string' }, name: { type: 'string' }, expires: { type: 'string' } },
    allowPositionals: true,
  })
  const [verb, login, ...rest] = positionals
  const { name } = values
  if (verb !== 'add' || login === undefined || name === undefined || name.trim() === '' || rest.length > 0) {
    throw new UsageError('client wants: add LOGIN --name NAME')
  }
  const expiresAt = expiryOf(values.expires)
  await onAccounts(values.state, async (registry) => {
    const made = await createClientFor(registry, { login, name: name.trim(), expiresAt }, OPERATOR)
    if ('rejection' in made) throw new Error(made.rejection.because)
    const { clientId, secret, position } = made
    return {
      position,
      lines: [`client id:     ${clientId}`, `client secret: ${secret}`, 'The secret is shown this once.'],
    }
  })
  return 0
}
