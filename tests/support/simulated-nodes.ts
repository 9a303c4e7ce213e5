import type { ClusterRef } from '../../domain/job/orders.ts'
import type { Clock } from '../../infra/controller/clock.ts'
import type { Nodes } from '../../infra/controller/nodes.ts'
import type { Engine, Member, ReachedNode } from '../../infra/engines/engine.ts'
import { engines } from '../../infra/engines/index.ts'
import type { Lease, Look, Session } from '../../infra/engines/session.ts'
import type { Host } from '../../infra/host.ts'

/** A machine with a server, as far as a watch can tell. */
export type SimulatedNode = {
  role: 'primary' | 'replica'
  server: Look['server']
  /** Whether anybody reaches the machine. */
  reachable: boolean
  /** Whether the machine answers the controller; its neighbours may reach it all the same. */
  cutFromUs: boolean
  fenced: boolean
  guarded: boolean
  positionBytes: number
  streaming: string[]
  /** Whether a start of the server comes to anything. */
  starts: boolean
}

const [real] = engines
if (real === undefined) throw new Error('BUG: there is an engine')

const refuse = async (): Promise<never> => {
  throw new Error('the machine is not asked for that here')
}
const host: Host = {
  address: '127.0.0.1', dataDir: '/data', run: refuse, write: refuse, read: refuse, start: refuse, stop: refuse, reload: refuse,
  running: refuse, log: refuse, diskUsage: async () => ({ usedBytes: 60, totalBytes: 100 }),
}

/** Nodes that answer after `answerMs`, and what was done to them. */
export const simulatedNodes = (clock: Clock, { answerMs = 2 }: { readonly answerMs?: number } = {}) => {
  const nodes = new Map<string, SimulatedNode>()
  const done: string[] = []
  /** How long each lease was renewed for. */
  const given: number[] = []
  const looks = { count: 0 }
  const the = (nodeId: string): SimulatedNode => {
    const node = nodes.get(nodeId)
    if (node === undefined) throw new Error(`BUG: there is no ${nodeId}`)
    return node
  }
  const lookOf = (node: SimulatedNode): Look => {
    const answers = node.server === 'answers'
    return {
      role: answers ? node.role : 'down', readOnly: false, lagBytes: node.role === 'replica' ? 0 : null, server: node.server,
      streaming: answers ? node.streaming : [], positionBytes: node.positionBytes, timeline: 1, lagSeconds: null,
      uptimeMs: clock.monotonicMs(), replyAgesMs: {}, fenced: node.fenced, guarded: node.guarded,
    }
  }
  const session = ({ member: { nodeId } }: ReachedNode): Session => ({
    async look(timeoutMs) {
      looks.count += 1
      const { reachable, cutFromUs } = the(nodeId)
      await clock.sleep(reachable && !cutFromUs ? answerMs : timeoutMs)
      if (!reachable || cutFromUs) throw new Error('the machine does not answer')
      return lookOf(the(nodeId))
    },
    renewLease: async ({ replicas, ttlMs }: Lease) => {
      done.push(`renew ${nodeId} ${replicas.join('+')}`)
      given.push(ttlMs)
    },
    close: async () => undefined,
  })
  const start = (what: string) => async ({ member: { nodeId } }: ReachedNode): Promise<void> => {
    done.push(`${what} ${nodeId}`)
    if (the(nodeId).starts) Object.assign(the(nodeId), { server: 'answers', fenced: false })
  }
  const engine: Engine = {
    ...real,
    session,
    start: start('start'),
    unfence: start('unfence'),
    fence: async ({ member: { nodeId } }) => {
      done.push(`fence ${nodeId}`)
      Object.assign(the(nodeId), { server: 'ended', fenced: true })
    },
    keepLease: async ({ member: { nodeId } }, lease) => {
      done.push(`keep ${nodeId} ${lease === null ? 'nothing' : lease.replicas.join('+')}`)
      the(nodeId).guarded = lease !== null
    },
    hears: async ({ member: { nodeId } }, primary: Member) => {
      if (!the(nodeId).reachable || the(nodeId).cutFromUs) throw new Error('the machine does not answer')
      const { reachable, server } = the(primary.nodeId)
      return { answers: reachable && server === 'answers', receivedBytes: the(nodeId).positionBytes }
    },
  }
  const memberOf = (cluster: ClusterRef, nodeId: string) => {
    const ref = cluster.nodes.find((one) => one.nodeId === nodeId)
    if (ref === undefined) throw new Error(`BUG: ${nodeId} is no member`)
    return ref
  }
  const find: Nodes['find'] = async (cluster, nodeId, { signal, note, progress }) => {
    const ref = memberOf(cluster, nodeId)
    const { version, nodes: members } = cluster
    const { instance } = ref
    return nodes.has(nodeId)
      ? { host, member: ref, members, version, instance, common: instance, parameters: {}, signal, note, progress }
      : undefined
  }
  const reach: Nodes['reach'] = async (cluster, nodeId, work) => (await find(cluster, nodeId, work)) ?? refuse()
  return {
    the, done, given, looks,
    put: (nodeId: string, change: Partial<SimulatedNode> = {}): void =>
      void nodes.set(nodeId, {
        role: 'replica', server: 'answers', reachable: true, cutFromUs: false, fenced: false, guarded: false, positionBytes: 500,
        streaming: [], starts: true, ...change,
      }),
    nodes: {
      engine: () => engine, node: memberOf, member: memberOf, find, reach,
      provider: () => { throw new Error('BUG: the watch asks no provider') },
    } satisfies Nodes,
  }
}
