import { parseArgs, type ParseArgsConfig } from 'node:util'

/** The command was typed wrong. Shown as it is, without a trace; the exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** One command. It prints for people, and gives the exit code. */
export type Command = (args: readonly string[]) => Promise<number>

/**
 * Reads a command's options and words.
 *
 * @throws UsageError for anything that `config` does not name
 */
export const parseOptions = <const T extends ParseArgsConfig>(args: readonly string[], config: T) => {
  try {
    return parseArgs({ ...config, args: [...args], strict: true })
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : 'the options cannot be read', { cause })
  }
}

/**
 * Reads a TCP port.
 *
 * @throws UsageError for anything else
 */
export const portOption = (text: string): number => {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535) {
    throw new UsageError(`--port wants a number from 1 to 65535, not ${text}`)
  }
  return port
}
