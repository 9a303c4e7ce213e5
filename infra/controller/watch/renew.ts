import { LIMITS } from '../../../domain/failover/limits.ts'
import type { Lease } from '../../../domain/failover/lease.ts'
import { Occupied, type WatchedCluster } from '../../controller-store/controller-store.ts'
import type { Eye, Seen } from './eye.ts'
import type { WatchParts } from './parts.ts'
import type { View } from './view.ts'
import { within } from './within.ts'

/** A session gives up by itself after two seconds. */
const RENEWAL_TIMEOUT_MS = 2_500

/**
 * The lease of a cluster's primary. It names those that may be promoted in its place; one that has yet to copy its first data
 * only once it follows, for until then nobody could hear of it.
 */
const leaseOf = ({ cluster, standing, hosts }: WatchedCluster, nodeId: string, { ttlMs, streaming }: Terms): Lease => {
  const named = hosts.find((host) => host.nodeId === nodeId)?.leaseReplicas ?? []
  return {
    epoch: standing.epoch,
    ttlMs,
    replicas: cluster.nodes
      .filter((node) => node.nodeId !== nodeId && standing.fenced[node.nodeId] === undefined)
      .filter((node) => hosts.some((host) => host.nodeId === node.nodeId && host.joined))
      .filter(({ name }) => named.includes(name) || streaming.includes(name))
      .map(({ name }) => name),
  }
}
type Terms = { readonly ttlMs: number; readonly streaming: readonly string[] }

type Change = { readonly eye: Eye; readonly lease: Lease; readonly isGuarded: boolean; readonly vouched: AbortSignal }

/**
 * Has a machine keep a lease with other terms, while nobody else works on it: at no time does it wait for fewer than is on
 * record, or go on for longer. Until its guard is seen at work, nothing more of it is on record.
 */
const changeTerms = async (
  { store, leases }: WatchParts,
  { datastoreId, isOurs }: View,
  { eye, lease, isGuarded, vouched }: Change,
): Promise<void> => {
  const { node: { nodeId }, engine } = eye
  const [reached, hosts] = await Promise.all([eye.reached(), store.hosts(datastoreId)])
  const host = hosts.find((one) => one.nodeId === nodeId)
  // It may have taken a while to get here.
  if (reached === undefined || host === undefined || (await leases.fenced()).has(nodeId) || !isOurs()) return
  const { leaseTtlMs, leaseReplicas = [] } = host
  const stay = leaseReplicas.filter((name) => lease.replicas.includes(name))
  if (leaseTtlMs !== null && (stay.length < leaseReplicas.length || leaseTtlMs < lease.ttlMs)) {
    await store.leased(nodeId, stay.length === 0 ? null : Math.max(leaseTtlMs, lease.ttlMs), stay)
  }
  await engine.keepLease({ ...reached, signal: AbortSignal.any([vouched, reached.signal]) }, lease)
  vouched.throwIfAborted()
  if (isGuarded) await store.leased(nodeId, lease.ttlMs, lease.replicas)
}

/**
 * Renews the lease of a primary that has just been looked at. That it is not fenced is found out after the look, from which the
 * lease counts; where that cannot be found out in time nothing is renewed. It is renewed for no longer than is on record.
 */
export const renewLease = async (
  parts: WatchParts,
  view: View,
  { eye, seen: { look } }: { readonly eye: Eye; readonly seen: Seen },
): Promise<void> => {
  const { store, clock, log, signal, limits: { leaseTtlMs } } = parts
  const { watched: { hosts }, datastoreId, isOurs, beside: { once } } = view
  const { node: { nodeId } } = eye
  if (look === 'no-contact') return
  const lease = leaseOf(view.watched, nodeId, { ttlMs: leaseTtlMs, streaming: look.streaming })
  // Nobody could take its place yet.
  if (lease.replicas.length === 0 && !look.guarded && look.server === 'answers') return
  const host = hosts.find((one) => one.nodeId === nodeId)
  const given = { ...lease, ttlMs: Math.min(leaseTtlMs, host?.leaseTtlMs ?? leaseTtlMs) }
  try {
    const fenced = await within({ clock, ms: LIMITS.lookTimeoutMs, signal }, parts.leases.fenced)
    if (fenced.has(nodeId) || !isOurs()) return
    if (look.guarded) await within({ clock, ms: RENEWAL_TIMEOUT_MS, signal }, () => eye.renew(given))
  } catch (err) {
    if (!signal.aborted) log.warn({ datastoreId, nodeId, err }, 'a lease could not be renewed')
    return
  }
  const isKept = host?.leaseTtlMs === leaseTtlMs && host.leaseReplicas?.join() === lease.replicas.join()
  if (host === undefined || (look.guarded && (isKept || lease.replicas.length === 0))) return
  once(`lease of ${nodeId}`, async () => {
    const change = { eye, lease, isGuarded: look.guarded }
    try {
      await store.exclusively(nodeId, (vouched) => changeTerms(parts, view, { ...change, vouched }), { waitMs: 0, signal })
    } catch (err) {
      // The next look comes to the same, once whoever works on the node is done.
      if (!(err instanceof Occupied)) throw err
    }
  })
}

/** A primary without replicas needs no lease any more. It is told first that the node may have none. */
export const endLease = async (parts: WatchParts, { hosts }: WatchedCluster, eye: Eye): Promise<void> => {
  const { node: { nodeId }, engine } = eye
  if (hosts.find((host) => host.nodeId === nodeId)?.leaseTtlMs !== null) await parts.store.leased(nodeId, null)
  const reached = await eye.reached()
  if (reached !== undefined) await engine.keepLease(reached, null)
}
