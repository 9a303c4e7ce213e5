import type { Child } from '../../infra/embedded/child.ts'

const PROGRAM = new URL('./light-child.ts', import.meta.url).pathname

/** Which process answers on the port. */
export const pidAt = async (port: number): Promise<number> => {
  const response = await fetch(`http://127.0.0.1:${port}`, { signal: AbortSignal.timeout(2_000) })
  return Number(await response.text())
}

/** Something to supervise that is up in no time. */
export const lightChild = (
  name: string,
  port: number,
  cwd: string,
  options: { readonly unstoppable?: boolean } = {},
): Child => ({
  name,
  ports: [port],
  argv: [process.execPath, PROGRAM, String(port), ...(options.unstoppable === true ? ['unstoppable'] : [])],
  env: {},
  cwd,
  stopSignal: 'SIGTERM',
  stopTimeoutMs: options.unstoppable === true ? 100 : 10_000,
  readyWithinMs: 20_000,
  ready: async () => (await pidAt(port)) > 0,
})
