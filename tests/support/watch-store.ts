import type { AlarmRow, HostRow, WatchedCluster } from '../../infra/controller-store/controller-store.ts'
import { Occupied } from '../../infra/controller-store/controller-store.ts'
import { SLOTS, SLOT_TTL_MS, slotOf } from '../../infra/controller-store/slots.ts'
import type { Clock } from '../../infra/controller/clock.ts'
import type { WatchStore } from '../../infra/controller/watch/parts.ts'

type Kept = { cluster: WatchedCluster['cluster']; epoch: number; primaryId: string | null; hosts: HostRow[] }

/** CMON DB as the watch sees it, in memory and on any clock. */
export const watchStore = ({ monotonicMs, now }: Clock) => {
  const clusters = new Map<string, Kept>()
  const alarms: AlarmRow[] = []
  const locks = new Set<string>()
  const slots = new Map<number, { controllerId: string; untilMs: number }>()
  const controllers = new Map<string, { readonly untilMs: number; readonly process: string | null }>()
  const written: string[] = []
  let isAway = false

  const watchedOf = ({ cluster, epoch, primaryId, hosts }: Kept): WatchedCluster => ({
    cluster, hosts: [...hosts],
    standing: {
      epoch, primaryId,
      fenced: Object.fromEntries(hosts.flatMap((host) => (host.fencedEpoch === null ? [] : [[host.nodeId, host.fencedEpoch]]))),
    },
  })
  const change = (nodeId: string, what: Partial<HostRow>): void => {
    for (const { hosts } of clusters.values()) {
      const n = hosts.findIndex((host) => host.nodeId === nodeId)
      const host = hosts[n]
      if (host !== undefined) hosts[n] = { ...host, ...what }
    }
  }
  const here = <T>(work: () => T): Promise<T> => isAway ? Promise.reject(new Error('CMON DB is away')) : Promise.resolve(work())

  const store: WatchStore = {
    watched: (owned) =>
      here(() => [...clusters.values()].filter(({ cluster }) => owned.includes(slotOf(cluster.datastoreId))).map(watchedOf)),
    standing: (id) => here(() => { const kept = clusters.get(id); return kept && watchedOf(kept).standing }),
    hosts: (id) => here(() => [...(clusters.get(id)?.hosts ?? [])]),
    adoptPrimary: (id, nodeId) => here(() => { const kept = clusters.get(id); if (kept) kept.primaryId ??= nodeId; return true }),
    fencedNodes: () =>
      here(() => new Set([...clusters.values()].flatMap(({ hosts }) =>
        hosts.flatMap(({ nodeId, fencedEpoch }) => (fencedEpoch === null ? [] : [nodeId]))))),
    leased: (nodeId, leaseTtlMs, leaseReplicas = []) => here(() => change(nodeId, { leaseTtlMs, leaseReplicas })),
    toldLost: (nodeId, toldLostAt) => here(() => change(nodeId, { toldLostAt })),
    toldWell: (nodeId, lostAt) => here(() => {
      const hosts = [...clusters.values()].flatMap((kept) => kept.hosts)
      const isThat = hosts.some((host) => host.nodeId === nodeId && host.toldLostAt === lostAt)
      if (isThat) change(nodeId, { toldLostAt: null, lostSince: null })
    }),
    seen: (nodeId, what) => here(() => { written.push(nodeId); change(nodeId, what) }),
    alarms: (id) => here(() => alarms.filter(({ datastoreId }) => datastoreId === id)),
    raise: (alarm, at) => here(() => void alarms.push({ ...alarm, counter: 1, raisedAt: at, clearedAt: null })),
    clear: (key) => here(() => {
      const n = alarms.findIndex((one) => one.nodeId === key.nodeId && one.typeName === key.typeName && one.clearedAt === null)
      const alarm = alarms[n]
      if (alarm !== undefined) alarms[n] = { ...alarm, clearedAt: now() }
    }),
    exclusively: async (nodeId, work, { signal }) => {
      if (locks.has(nodeId)) throw new Occupied('somebody else works on the node')
      locks.add(nodeId)
      try {
        return await work(signal ?? new AbortController().signal)
      } finally {
        locks.delete(nodeId)
      }
    },
    renewSlots: (controllerId, process) => here(() => {
      const nowMs = monotonicMs()
      const untilMs = nowMs + SLOT_TTL_MS
      controllers.set(controllerId, { untilMs, process: process ?? null })
      const live = [...controllers.values()].filter((one) => one.untilMs > nowMs).length
      const all = Array.from({ length: SLOTS }, (_, slot) => slot)
      const mine = all.filter((slot) => slots.get(slot)?.controllerId === controllerId)
      const free = all.filter((slot) => (slots.get(slot)?.untilMs ?? 0) <= nowMs && !mine.includes(slot))
      const owned = [...mine, ...free].slice(0, Math.ceil(SLOTS / live))
      for (const slot of owned) slots.set(slot, { controllerId, untilMs })
      return { owned, validUntilMs: untilMs }
    }),
    controllers: () => here(() =>
      [...controllers].flatMap(([controllerId, { untilMs, process }]) =>
        untilMs > monotonicMs() ? [{ controllerId, process }] : [])),
    giveUpSlots: (controllerId) => here(() => {
      for (const [slot, one] of slots) if (one.controllerId === controllerId) slots.delete(slot)
      controllers.delete(controllerId)
    }),
  }
  return {
    store, change, alarms, locks, written,
    put: (cluster: WatchedCluster['cluster'], primaryId: string | null, change: Partial<HostRow> = {}): void =>
      void clusters.set(cluster.datastoreId, {
        cluster, epoch: 1, primaryId,
        hosts: cluster.nodes.map(({ nodeId }) => ({
          nodeId, datastoreId: cluster.datastoreId, role: 'unknown', status: 'CmonHostUnknown', lagBytes: null, lastSeenAt: null,
          shutDown: false, fencedEpoch: null, leaseTtlMs: null, joined: true, toldLostAt: null, lostSince: null, ...change,
        })),
      }),
    forget: (datastoreId: string): void => void clusters.delete(datastoreId),
    promote: (datastoreId: string, primaryId: string): void => {
      const kept = clusters.get(datastoreId)
      if (kept !== undefined) Object.assign(kept, { primaryId, epoch: kept.epoch + 1 })
    },
    away: (is: boolean): void => void (isAway = is),
  }
}
