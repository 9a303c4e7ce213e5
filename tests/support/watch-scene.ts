import type { ClusterRef } from '../../domain/job/orders.ts'
import type { Clock } from '../../infra/controller/clock.ts'
import { watch, type WatchOptions } from '../../infra/controller/watch.ts'
import type { Observation } from '../../infra/messaging/observation.ts'
import { keptLog } from './log.ts'
import { simulatedNodes } from './simulated-nodes.ts'
import { watchStore } from './watch-store.ts'

/** A datastore whose first node is the primary of the others. */
export const watchedCluster = (datastoreId: string, names: readonly string[]): ClusterRef => ({
  datastoreId, ownerId: 'own_1', engine: 'some-engine', version: '15',
  nodes: names.map((name) => ({
    nodeId: `${datastoreId}-${name}`, name, hostname: `${name}.${datastoreId}.ccx.test`, provider: 'somewhere',
    address: '10.0.0.1', port: 5432, instance: { code: 'tiny', cpu: 1, ramGb: 1 },
  })),
})

/** Controllers that watch simulated nodes, on any clock. */
export const watchScene = (clock: Clock, options: { readonly answerMs?: number } = {}) => {
  const memory = watchStore(clock)
  const simulated = simulatedNodes(clock, options)
  const observed: Observation[] = []
  const { log } = keptLog()
  const controllers = new Map<string, { readonly stop: () => void; readonly ended: Promise<void> }>()
  return {
    ...memory, ...simulated, observed,
    /** Kinds and whom they are about, in the order in which they were told. */
    told: (): readonly string[] =>
      observed.map((one) => {
        if (one.kind === 'disk-usage') return one.kind
        return `${one.kind} ${one.kind === 'primary-unreachable' ? one.primaryId : one.nodeId}`
      }),
    begin(cluster: ClusterRef): void {
      const [primary, ...others] = cluster.nodes
      memory.put(cluster, primary?.nodeId ?? null)
      if (primary === undefined) return
      simulated.put(primary.nodeId, { role: 'primary', streaming: others.map(({ name }) => name) })
      for (const { nodeId } of others) simulated.put(nodeId)
    },
    control(controllerId: string, change: Partial<WatchOptions> = {}): void {
      const stopping = new AbortController()
      const ended = watch({
        controllerId, store: memory.store, nodes: simulated.nodes, clock, log, metrics: undefined, diskReports: undefined,
        limits: { intervalMs: 1_000, lookTimeoutMs: 1_000, leaseTtlMs: 6_000 },
        observe: async (observation) => void observed.push(observation),
        signal: stopping.signal,
        ...change,
      })
      controllers.set(controllerId, { stop: () => stopping.abort(), ended })
    },
    /** Tells a controller to end, and gives when it has. */
    end(controllerId: string): Promise<void> {
      const controller = controllers.get(controllerId)
      controller?.stop()
      return controller?.ended ?? Promise.resolve()
    },
  }
}
