import { randomBytes } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { registerAccount } from '../../../command-handlers/auth/register.ts'
import { passwordFault } from '../../../domain/account/password-rules.ts'
import { OPERATOR, onAccounts } from './accounts.ts'
import { type Command, parseOptions, UsageError } from './usage.ts'

const LOGIN = /^[^\s\p{C}]{3,254}$/u

/** From standard input, without the final line break; it has no place among the arguments, which everyone can see. */
const typedPassword = async (login: string): Promise<string> => {
  const password = (await text(process.stdin)).replace(/\r?\n$/, '')
  const fault = passwordFault(password, login)
  if (fault !== undefined) throw new UsageError(fault)
  return password
}

/** Registers an account. Without a password from standard input one is made, and printed this once. */
export const user: Command = async (args) => {
  const { values, positionals } = parseOptions(args, {
    options: {
      state: { type: 'string' },
      admin: { type: 'boolean', default: false },
      'first-name': { type: 'string', default: '' },
      'last-name': { type: 'string', default: '' },
      'password-stdin': { type: 'boolean', default: false },
    },
    allowPositionals: true,
  })
  const [verb, login, ...rest] = positionals
  if (verb !== 'add' || login === undefined || rest.length > 0) throw new UsageError('user wants: add LOGIN')
  if (!LOGIN.test(login)) throw new UsageError('a login has 3 to 254 characters and no spaces')
  const typed = values['password-stdin'] ? await typedPassword(login) : undefined
  const password = typed ?? randomBytes(18).toString('base64url')
  await onAccounts(values.state, async (registry) => {
    const account = {
      login,
      password,
      firstName: values['first-name'],
      lastName: values['last-name'],
      isAdmin: values.admin,
    }
    const made = await registerAccount(registry, account, OPERATOR)
    if ('rejection' in made) throw new Error(made.rejection.because)
    const shown = typed === undefined ? [`password: ${password}`, 'It is shown this once.'] : []
    return { position: made.position, lines: [`${login} may sign in.`, ...shown] }
  })
  return 0
}
