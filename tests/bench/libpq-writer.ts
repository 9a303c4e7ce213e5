import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { addressesOf } from '../support/dns-client.ts'

const EVERY_MS = 10
const ANSWER_MS_MAX = 1_000

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
    const ended = once(child, 'close')
    child.stdin.on('error', () => undefined)
    const patience = setTimeout(() => child.kill('SIGKILL'), ANSWER_MS_MAX)
    const ask = (): void => {
      if (stopped) child.stdin.end()
      else child.stdin.write('insert into written_by_libpq default values;\n\\echo ok\n')
    }
    createInterface(child.stdout).on('line', () => {
      acknowledge()
      patience.refresh()
      setTimeout(ask, EVERY_MS)
    })
    ask()
    await ended
    clearTimeout(patience)
  }
  const writing = (async () => {
    while (!stopped) {
      await connection().catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
    }
  })()
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
