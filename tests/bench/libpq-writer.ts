import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { addressesOf } from '../support/dns-client.ts'
import { until } from '../support/until.ts'

const EVERY_MS = 10
const ANSWER_MS_MAX = 1_000
const BENCH_MS_MAX = 3_600_000

export type LibpqWriter = {
  /** The longest time between two acknowledged inserts since it was last asked, in ms. */
  readonly longestGapMs: () => number
  readonly acknowledged: () => number
  readonly stop: () => Promise<void>
}

/**
 * Inserts a row every 10 ms through libpq (psql), led by the published name alone: each connection asks the name server anew, as
 * an application does. What is not answered within a second is given up, connection and all.
 *
 * @param options.env how psql connects: PGHOST and whatever else, but for PGHOSTADDR, which the name server gives
 */
export const libpqWriter = ({ psql, dnsPort, host, env }: {
  readonly psql: string
  readonly dnsPort: number
  readonly host: string
  readonly env: Readonly<Record<string, string>>
}): LibpqWriter => {
  let stopped = false
  let lastMs = performance.now()
  let longestMs = 0
  let count = 0
  const acknowledge = (): void => {
    const nowMs = performance.now()
    longestMs = Math.max(longestMs, nowMs - lastMs)
    lastMs = nowMs
    count += 1
  }
  /** Writes until something goes wrong. */
  const connection = async (): Promise<void> => {
    const [address] = await addressesOf({ port: dnsPort }, host)
    if (address === undefined) return
    const args = ['--no-psqlrc', '--no-password', '--quiet', '--no-align', '--tuples-only', '--set=ON_ERROR_STOP=1']
    const child = spawn(psql, args, {
      env: { ...env, PGHOST: host, PGHOSTADDR: address, PGCONNECT_TIMEOUT: '2' },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    let [over, askedAtMs] = [false, performance.now()]
    const ended = once(child, 'close').finally(() => {
      over = true
    })
    child.stdin.on('error', () => undefined)
    const ask = (): void => {
      askedAtMs = performance.now()
      if (stopped) child.stdin.end()
      else child.stdin.write(`insert into written_by_libpq default values;\n\\echo ok\nselect pg_sleep(${EVERY_MS / 1_000});\n`)
    }
    createInterface(child.stdout).on('line', (line) => {
      if (line !== 'ok') return
      acknowledge()
      ask()
    })
    ask()
    // A server that says nothing more is left, as an application with a time-out leaves it.
    await until(() => over || performance.now() - askedAtMs > ANSWER_MS_MAX, { withinMs: BENCH_MS_MAX, what: 'an end' })
    child.kill('SIGKILL')
    await ended
  }
  const written = async (): Promise<boolean> => {
    await connection().catch(() => undefined)
    return stopped
  }
  const writing = until(written, { withinMs: BENCH_MS_MAX, everyMs: EVERY_MS, what: 'the end of the bench' })
  return {
    longestGapMs: () => {
      const found = Math.max(longestMs, performance.now() - lastMs)
      longestMs = 0
      return found
    },
    acknowledged: () => count,
    stop: async () => {
      stopped = true
      await writing
    },
  }
}
