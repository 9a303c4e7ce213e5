import { commands } from './cli/commands.ts'
import { UsageError } from './cli/usage.ts'

/** The message of an error and of everything that caused it, one a line. */
const chainOf = (error: unknown): string =>
  error instanceof Error
    ? [error.message, ...(error.cause === undefined ? [] : [chainOf(error.cause)])].join('\n  because: ')
    : String(error)

const [given = 'help', ...args] = process.argv.slice(2)
const name = given === '--help' || given === '-h' || args.includes('--help') ? 'help' : given
const command = Object.hasOwn(commands, name) ? commands[name] : undefined

try {
  if (command === undefined) throw new UsageError(`there is no command ${name}; ./ccx help shows those there are`)
  process.exitCode = await (await command.load())(args)
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`ccx: ${error.message}${command === undefined ? '' : `\nusage: ./ccx ${command.usage}`}`)
    process.exitCode = 2
  } else {
    console.error(`ccx: ${chainOf(error)}`)
    process.exitCode = 1
  }
}
