import { type Engine, type Lease, type Look, type ReachedNode, type Session, leaseUntil } from '../engine.ts'
import { conninfo } from './config.ts'
import { type Conversation, converse } from './conversation.ts'
import { layoutOf, unitOf } from './layout.ts'
import { giveLease, hundredths, leaseFiles } from './lease.ts'
import { WRITE_LEASE } from './lease-scripts.ts'
import { driftedIn, lookAround, lookIn, prepare } from './look.ts'
import { LOCAL, OWN, command, unanswered } from './psql.ts'

const DRIFT_EVERY_LOOKS = 10
const RENEWAL_TIMEOUT_MS = 2_000

/** No answer came in time: the machine, the way to it, or the server stands still. */
class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

/**
 * Between psql and us, on the machine, in the same shell for as long as the session: writes a lease when the server itself has
 * said it, and tells that it has. What else the server says it hands on.
 */
const HANDS = `read -r b < /proc/sys/kernel/random/boot_id; while read -r l; do case $l in "#lease "*) set -- $l; \
if [ -e "$LEASE_FILE" ] && ${WRITE_LEASE} "$b" "$2" "$2" "$3" 1<> "$LEASE_FILE"; then echo "#given"; else echo "#not"; fi;; \
*) printf "%s\\n" "$l";; esac; done`

/** The server's own sessions do not wait for ever for a place at the socket, so that nothing is left behind by many tries. */
const begin = (node: ReachedNode): Conversation => {
  const { host, member, signal } = node
  const layout = layoutOf(host)
  const target = conninfo({ ...LOCAL, connect_timeout: 2, host: layout.socket, port: member.port, application_name: 'ccx-watch' })
  const conversation = converse(host, command(target), {
    env: { LC_ALL: 'C.UTF-8', PGOPTIONS: OWN, LEASE_FILE: leaseFiles(layout).lease },
    signal,
  })
  conversation.tell(`${prepare(node)}\\o |${HANDS}\n`)
  return conversation
}

/** Gives up on work after so long. */
const within = async <T>(timeoutMs: number, work: Promise<T>): Promise<T> => {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new NoAnswer(`no answer within ${timeoutMs} ms`)), timeoutMs)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

export const session: Engine['session'] = (node): Session => {
  const { host, members } = node
  const names = members.map(({ name }) => name)
  let current: Conversation | undefined
  let looks = 0
  let drifted: readonly string[] = []
  let last: Look | undefined

  /** Who is dropped may take its time to end; nobody but who closes the session waits for that. */
  const ending = new Set<Promise<void>>()
  const drop = (): void => {
    const end = current?.end()
    current = undefined
    if (end === undefined) return
    ending.add(end)
    void end.finally(() => ending.delete(end))
  }

  const ask = async (limit: AbortSignal): Promise<Look> => {
    limit.throwIfAborted()
    const asked = (current ??= begin(node))
    const answer = await asked.ask('execute look;\n')
    if (looks % DRIFT_EVERY_LOOKS === 0) drifted = driftedIn(await asked.ask('execute drift;\n'))
    looks += 1
    return lookIn(answer, names, drifted)
  }

  /** A session that has ended since tells nothing of the server as it is now. */
  const askAnew = async (limit: AbortSignal): Promise<Look> => {
    if (current !== undefined) {
      try {
        return await ask(limit)
      } catch {
        drop()
      }
    }
    return ask(limit)
  }

  const lookOnce = async (timeoutMs: number, limit: AbortSignal): Promise<Look> => {
    try {
      return await askAnew(limit)
    } catch (error) {
      limit.throwIfAborted()
      drop()
      if (!unanswered(error)) throw error
      return lookAround(node, await host.running(unitOf(layoutOf(host))), timeoutMs)
    }
  }

  return {
    async look(timeoutMs) {
      const limit = new AbortController()
      const work = lookOnce(timeoutMs, limit.signal)
      try {
        last = await within(timeoutMs, work)
        return last
      } catch (error) {
        limit.abort()
        drop()
        // It ends by the drop, or by the limit that its own last question has.
        work.catch(() => undefined)
        throw error
      }
    },

    async renewLease(lease: Lease) {
      if (last === undefined) throw new Error('BUG: a lease is renewed after a look')
      const { uptimeMs, server } = last
      if (server !== 'answers') return giveLease(node, { lease, uptimeMs, timeoutMs: RENEWAL_TIMEOUT_MS })
      if (current === undefined) throw new NoAnswer('the session has ended since the last look')
      const until = hundredths(leaseUntil(uptimeMs, lease))
      try {
        const told = await within(RENEWAL_TIMEOUT_MS, current.ask(`select '#lease ${until} ${lease.epoch}';\n`))
        if (told !== '#given') throw new Error('the machine keeps no lease')
      } catch (error) {
        drop()
        throw error
      }
    },

    async close() {
      drop()
      await Promise.all(ending)
    },
  }
}
