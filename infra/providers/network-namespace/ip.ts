import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { z } from 'zod'
import { systemProgram } from '../process-host/programs.ts'

const run = promisify(execFile)
const TIMEOUT_MS = 20_000

/**
 * Runs a program of the operating system as root.
 *
 * @returns its standard output
 * @throws when it fails; its own words are in the cause
 */
export const system = async (program: string, ...args: readonly string[]): Promise<string> => {
  try {
    const { stdout } = await run(systemProgram(program), [...args], { timeout: TIMEOUT_MS, env: { LC_ALL: 'C.UTF-8' } })
    return stdout
  } catch (cause) {
    throw new Error(`${program} ${args.slice(0, 3).join(' ')} failed`, { cause })
  }
}

/** Runs iproute2's `ip`. */
export const ip = (...args: readonly string[]): Promise<string> => system('ip', ...args)

const Links = z.array(
  z.object({
    ifname: z.string().optional(),
    addr_info: z.array(z.object({ family: z.string().optional(), local: z.string().optional() })).optional(),
  }),
)

export type Link = { readonly name: string; readonly addresses: readonly string[] }

/**
 * The network links here, or in a namespace, with their IPv4 addresses.
 *
 * @param namespace a name under /run/netns
 */
export const links = async (namespace?: string): Promise<readonly Link[]> => {
  const where = namespace === undefined ? [] : ['-n', namespace]
  const found = Links.parse(JSON.parse(await ip(...where, '-j', 'address', 'show')))
  return found.flatMap(({ ifname: name, addr_info = [] }) => {
    const addresses = addr_info.flatMap(({ family, local = [] }) => (family === 'inet' ? local : []))
    return name === undefined ? [] : [{ name, addresses }]
  })
}

/**
 * Does something that another worker may be doing too: a failure counts only when the effect is not there afterwards.
 *
 * @param isDone looks at the effect
 */
export const ensure = async (isDone: () => Promise<boolean>, act: () => Promise<unknown>): Promise<void> => {
  if (await isDone()) return
  try {
    await act()
  } catch (error) {
    if (!(await isDone())) throw error
  }
}
