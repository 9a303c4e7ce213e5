import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { eventStoreSecurity } from '../support/event-store-security.ts'
import { freePort } from '../support/free-port.ts'
import { startPostgres } from '../support/postgres.ts'

export const quantile = (values: readonly number[], q: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2
}

/** The median, and between which values all others lie. */
export const spread = (values: readonly number[], unit: string, digits = 0): string => {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return `${median(values).toFixed(digits)} ${unit} (${least.toFixed(digits)} … ${most.toFixed(digits)})`
}

export const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now()
  await work()
  return performance.now() - began
}

/** Runs `work` for every number below `count`, at most `writers` at once; how many a second. */
export const perSecond = async (
  count: number,
  writers: number,
  work: (n: number) => Promise<unknown>,
): Promise<number> => {
  let next = 0
  const writer = async () => {
    for (let n = next++; n < count; n = next++) await work(n)
  }
  const ms = await timed(() => Promise.all(Array.from({ length: writers }, writer)))
  return (count / ms) * 1_000
}

export const latency = (ms: readonly number[]): string =>
  `p50 ${quantile(ms, 0.5).toFixed(2)} ms, p99 ${quantile(ms, 0.99).toFixed(2)} ms`

/**
 * The embedded event store in a process of its own, on a real Postgres.
 *
 * @param options.open without TLS and users; with them, as installations have it, by default
 */
export const startEventStore = async ({ open = false } = {}): Promise<{
  readonly url: string
  readonly stop: () => Promise<void>
}> => {
  const postgres = await startPostgres()
  const port = await freePort()
  const { security, admin, urlOf, remove } = await eventStoreSecurity()
  const server = fork(join(import.meta.dirname, '../support/event-store-process.ts'))
  server.send({ port, databaseUrl: postgres.url, ...(open ? {} : { security }) })
  await once(server, 'message')
  return {
    url: open ? `esdb://127.0.0.1:${port}?tls=false` : urlOf(`127.0.0.1:${port}`, admin),
    stop: async () => {
      const ended = once(server, 'exit')
      server.disconnect()
      await ended
      await postgres.stop()
      await remove()
    },
  }
}

/** Cleans up when the bench is interrupted: what it has started outside of its process would go on. */
export const atInterrupt = (clean: () => Promise<unknown>): void => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void clean().finally(() => process.exit(130)))
  }
}

/** One line of a result, with its bar where there is one; a bar that is missed makes the process's exit code 1. */
export const report = (what: string, figures: string, bar?: { readonly ok: boolean; readonly text: string }): void => {
  const verdict = bar === undefined ? '' : `   ${bar.ok ? 'reaches' : 'MISSES'} the bar: ${bar.text}`
  console.log(`${what.padEnd(58)} ${figures}${verdict}`)
  if (bar?.ok === false) process.exitCode = 1
}
