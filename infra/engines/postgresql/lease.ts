import { setTimeout } from 'node:timers/promises'
import type { Host, Unit } from '../../host.ts'
import { type Engine, type Lease, type ReachedNode, leaseUntil } from '../engine.ts'
import { conninfo } from './config.ts'
import { fenceCommand } from './fence-command.ts'
import { type Layout, gateOf, layoutOf, unitOf } from './layout.ts'
import { GATE, GUARD, WRITE_LEASE } from './lease-scripts.ts'
import { LOCAL } from './psql.ts'

const RENEW_EVERY_MS = 1_000

/** What the guard is asked to look at, and where it says that it has. */
export const leaseFiles = ({ lease }: Layout) => ({
  lease: `${lease}/lease`,
  terms: `${lease}/terms`,
  seen: `${lease}/seen`,
  guard: `${lease}/guard.sh`,
})

/** Uptimes on the machine are in hundredths of a second. */
export const hundredths = (ms: number): number => Math.floor(ms / 10)

/** A record of a lease that nobody has given yet. */
const NONE = `${'-'.padEnd(36)} ${'0'.padStart(16)} ${'0'.padStart(16)} ${'0'.padStart(12)} .\n`

const termsOf = ({ ttlMs, replicas }: Lease): string => {
  const strange = replicas.find((name) => !/^[A-Za-z0-9_-]+$/.test(name))
  if (strange !== undefined) throw new Error(`BUG: no member has the name ${strange}`)
  return `${hundredths(ttlMs)} ${replicas.join(' ')}\n`
}

/** What ends the server when its lease has run out. The port is not needed to stop it. */
export const guardOf = (layout: Layout, port?: number): Unit => ({
  name: 'lease-guard',
  argv: [
    'sh', leaseFiles(layout).guard, layout.data, layout.lease,
    conninfo({ ...LOCAL, host: layout.socket, ...(port === undefined ? {} : { port }) }),
    ...fenceCommand(layout),
  ],
  env: { LC_ALL: 'C.UTF-8', PGOPTIONS: '-c statement_timeout=0 -c log_min_duration_statement=-1' },
  stopSignal: 'SIGTERM',
  stopTimeoutMs: 2_000,
  reloadSignal: 'SIGHUP',
})

/** A volume that is full takes nothing anew, so what is there already is left as it is. */
const put = async (host: Host, path: string, content: string): Promise<'was-there' | 'written'> => {
  if ((await host.read(path)) === content) return 'was-there'
  await host.write(path, content, 0o600)
  return 'written'
}

const unlessThere = async (host: Host, path: string, content: string): Promise<void> => {
  if ((await host.read(path)) === undefined) await host.write(path, content, 0o600)
}

/** The guard is there before anything is to be guarded; the gate's first, for it does nothing without a lease. */
export const keepLease: Engine['keepLease'] = async (node, lease) => {
  const { host, member, signal } = node
  const layout = layoutOf(host)
  const files = leaseFiles(layout)
  const guard = guardOf(layout, member.port)
  if (lease === null || lease.replicas.length === 0) return dropLease(node)
  const [script] = await Promise.all([
    put(host, files.guard, GUARD),
    put(host, gateOf(layout), GATE),
    put(host, files.terms, termsOf(lease)),
    unlessThere(host, files.seen, `${'0'.padStart(16)} .\n`),
  ])
  await unlessThere(host, files.lease, NONE)
  signal.throwIfAborted()
  if (script === 'written') await host.stop(guard)
  await host.start(guard)
  // A machine that was set up long ago begins its server through the gate from now on.
  if (await host.running(unitOf(layout))) await host.start(unitOf(layout))
}

/** The gate stays: without a lease it lets everybody through. */
const dropLease = async ({ host, signal }: Pick<ReachedNode, 'host' | 'signal'>): Promise<void> => {
  const layout = layoutOf(host)
  const { lease, terms } = leaseFiles(layout)
  await host.stop(guardOf(layout))
  // A promotion waits for this, so no program is run for nothing.
  const there = await Promise.all([lease, terms].map((file) => host.read(file)))
  if (there.some((file) => file !== undefined)) await host.run(['rm', '-f', '--', lease, terms], { signal })
}

/** How long the machine has been up, in milliseconds. */
export const uptimeIn = (text: string): number => {
  const uptimeMs = Number(text.trim().split(' ')[0]) * 1_000
  if (Number.isNaN(uptimeMs)) throw new Error('the machine does not tell how long it has been up')
  return Math.floor(uptimeMs)
}

/** $1 is the file, $2 the end, $3 the epoch. Nothing is given where no lease is kept. */
const WRITE = `
[ -e "$1" ] || exit 1
read -r boot < /proc/sys/kernel/random/boot_id
${WRITE_LEASE} "$boot" "$2" "$2" "$3" 1<> "$1"
`

/** Gives a lease without asking the server, which does not answer yet. */
export const giveLease = async (
  { host, signal }: Pick<ReachedNode, 'host' | 'signal'>,
  { lease, uptimeMs, timeoutMs }: { readonly lease: Lease; readonly uptimeMs: number; readonly timeoutMs: number },
): Promise<void> => {
  const until = hundredths(leaseUntil(uptimeMs, lease))
  const file = leaseFiles(layoutOf(host)).lease
  await host.run(['sh', '-c', WRITE, 'give-lease', file, String(until), String(lease.epoch)], { signal, timeoutMs })
}

/** The terms of the lease that a machine keeps by now; undefined: it keeps none, and lets a primary begin without. */
const keptTerms = async (host: Host, lease: NonNullable<ReachedNode['lease']>): Promise<Lease | undefined> => {
  const files = leaseFiles(layoutOf(host))
  const [record, terms = ''] = await Promise.all([host.read(files.lease), host.read(files.terms)])
  if (record === undefined) return undefined
  const ttlMs = lease.ttlMs ?? Number(terms.split(' ')[0]) * 10
  return Number.isFinite(ttlMs) && ttlMs > 0 ? { ...lease, ttlMs } : undefined
}

/**
 * Does what makes the node a primary that takes writes, while it is given the lease for it. Where it needs none, or somebody else
 * gives it, just does it. A machine that keeps a lease needs it in any case, for its server waits for it.
 *
 * @throws when the node may not have it
 */
export const underLease = async <T>(node: ReachedNode, work: () => Promise<T>): Promise<T> => {
  const { host, lease: first, signal, note } = node
  if (first === undefined) return work()
  const isTold = first.ttlMs !== null && first.replicas.length > 0
  const lease = first.ttlMs !== null && isTold ? { ...first, ttlMs: first.ttlMs } : await keptTerms(host, first)
  if (lease === undefined) return work()
  const give = async (): Promise<boolean> => {
    const uptimeMs = uptimeIn(await host.run(['cat', '/proc/uptime'], { signal }))
    if (!(await first.mayBeGiven())) return false
    await giveLease(node, { lease, uptimeMs, timeoutMs: RENEW_EVERY_MS })
    return true
  }
  if (isTold) await keepLease(node, lease)
  if (!(await give())) throw new Error('the node is not the primary any more, or is fenced')
  const done = new AbortController()
  const renewing = renewed(give, note, AbortSignal.any([signal, done.signal]))
  try {
    return await work()
  } finally {
    done.abort()
    await renewing
  }
}

/** Until `signal` aborts, or it may not be given any more. A renewal that fails leaves time for the next ones. */
const renewed = async (give: () => Promise<boolean>, note: (line: string) => void, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    await setTimeout(RENEW_EVERY_MS, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    try {
      if (!(await give())) return
    } catch {
      if (!signal.aborted) note('the lease could not be renewed')
    }
  }
}
