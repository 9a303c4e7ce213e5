import { setTimeout } from 'node:timers/promises'
import { runsOutAt } from '../../domain/failover/lease.ts'
import type { ClusterRef, FencedBy, Prefer } from '../../domain/job/orders.ts'
import { Failure, type Work } from '../messaging/worker.ts'
import { replaced } from './guard.ts'
import type { Parts } from './parts.ts'
import { within } from '../within.ts'

/**
 * How long the server is tried to be stopped alone. What else helps costs more: a machine that must be booted again, and
 * writes that replicas which have stopped receiving do not get.
 */
const HEAD_START_MS = 700
const STANDING_TIMEOUT_MS = 5_000
const STANDING_PAUSE_MS = 300
/** How long before an order's time is up a fence says what could not be confirmed. */
const LAST_WORD_MS = 1_000

export type FenceBody = {
  readonly cluster: ClusterRef
  readonly nodeId: string
  readonly prefer: Prefer
  readonly notAfter: string
}
type Few = Pick<Parts, 'nodes' | 'store' | 'now'>

/**
 * Sees to it that a lost primary takes no write any more: its server is stopped, or its machine is powered off, or its lease
 * runs out. They are tried beside each other and the first that is certain counts. It is written down first, so that from then
 * on nobody starts the node or renews its lease.
 *
 * @returns by what it is certain; `nothing` only where availability is preferred
 * @throws Failure when nothing is certain, shortly before the order's time is up at the latest
 */
export const fence = async (parts: Few, body: FenceBody, work: Work): Promise<FencedBy> => {
  const { nodes, store, now } = parts
  const { cluster, nodeId, prefer, notAfter } = body
  const { name } = nodes.node(cluster, nodeId)
  if (!(await store.fence(cluster.datastoreId, nodeId, cluster.epoch ?? 0))) throw replaced()
  const fencedAtMs = performance.now()
  const over = new AbortController()
  const leftMs = Math.max(Date.parse(notAfter) - Date.parse(now()) - LAST_WORD_MS, 0)
  const signal = AbortSignal.any([work.signal, over.signal, AbortSignal.timeout(leftMs)])
  const tried = { ...work, signal }
  const server = stopped(parts, body, tried)
  const alone = headStart(server, signal)
  try {
    return await Promise.any([
      server,
      alone.then(() => poweredOff(parts, body, tried)),
      alone.then(() => ranOut(parts, body, { fencedAtMs }, tried)),
    ])
  } catch (cause) {
    work.signal.throwIfAborted()
    if (prefer === 'consistency') {
      throw new Failure(`It could not be made certain that ${name} takes no more writes.`, { cause })
    }
    work.note(`it is not certain that ${name} takes no more writes, but availability is preferred`)
    return 'nothing'
  } finally {
    // A power-off that is under way goes on unheard: whoever brings the machine back finds it off and boots it again.
    over.abort(new Error('the fence is decided'))
  }
}

/** Until the first try has come to nothing, or has taken too long to wait for it alone. */
const headStart = async (first: Promise<unknown>, signal: AbortSignal): Promise<void> => {
  const failed = first.then(() => new Promise<never>(() => undefined), () => undefined)
  await Promise.race([failed, setTimeout(HEAD_START_MS, undefined, { signal })])
}

type Trying = (parts: Few, body: FenceBody, work: Work) => Promise<FencedBy>

const stopped: Trying = async ({ nodes }, { cluster, nodeId }, work) => {
  const { name } = nodes.node(cluster, nodeId)
  try {
    await within(work.signal, async () => {
      await nodes.engine(cluster).fence(await nodes.reach(cluster, nodeId, work))
    })
  } catch (cause) {
    if (!work.signal.aborted) work.note(`the server of ${name} could not be stopped on its machine`)
    throw cause
  }
  work.note(`the server of ${name} is stopped, and takes no writes when it is started again`)
  return 'server-stopped'
}

const poweredOff: Trying = async ({ nodes }, { cluster, nodeId }, work) => {
  const { name } = nodes.node(cluster, nodeId)
  try {
    await within(work.signal, () => nodes.provider(cluster, nodeId).fence(nodeId))
  } catch (cause) {
    if (!work.signal.aborted) work.note(`the machine of ${name} could not be powered off`)
    throw cause
  }
  work.note(`the machine of ${name} is powered off`)
  return 'powered-off'
}

/**
 * A primary that is cut off demotes itself, unless all that its lease names still reply to it: so one of those has to stop first.
 */
const ranOut = async (
  parts: Few,
  { cluster, nodeId }: FenceBody,
  { fencedAtMs }: { readonly fencedAtMs: number },
  work: Work,
): Promise<FencedBy> => {
  const { nodes, store } = parts
  const { name } = nodes.node(cluster, nodeId)
  const hosts = await store.hosts(cluster.datastoreId)
  const { leaseTtlMs: ttlMs = null, leaseReplicas: named } = hosts.find((host) => host.nodeId === nodeId) ?? {}
  if (ttlMs === null) throw new Error('the node has no lease')
  const fenced = new Set(hosts.flatMap((host) => (host.fencedEpoch === null ? [] : [host.nodeId])))
  const replicas = cluster.nodes.filter(
    (one) => one.nodeId !== nodeId && !fenced.has(one.nodeId) && named?.includes(one.name) === true,
  )
  const stoppedAtMs = await Promise.any(replicas.map((one) => stopReceiving(parts, { cluster, nodeId: one.nodeId }, work)))
  const atMs = runsOutAt({ ttlMs }, { fencedAtMs, stoppedAtMs }) ?? Infinity
  const waitMs = Math.ceil(Math.max(atMs - performance.now(), 0))
  work.note(`${name} demotes itself within ${(waitMs / 1_000).toFixed(1)} s, for its lease is not renewed any more`)
  await setTimeout(waitMs, undefined, { signal: work.signal })
  work.note(`the lease of ${name} has run out`)
  return 'lease-ran-out'
}

/** Asked until it has, for as long as there is time. */
const stopReceiving = async (
  { nodes }: Few,
  { cluster, nodeId }: { readonly cluster: ClusterRef; readonly nodeId: string },
  work: Work,
): Promise<number> => {
  for (;;) {
    const signal = AbortSignal.any([work.signal, AbortSignal.timeout(STANDING_TIMEOUT_MS)])
    try {
      await within(signal, async () => {
        await nodes.engine(cluster).standing(await nodes.reach(cluster, nodeId, { ...work, signal }))
      })
      return performance.now()
    } catch {
      await setTimeout(STANDING_PAUSE_MS, undefined, { signal: work.signal })
    }
  }
}
