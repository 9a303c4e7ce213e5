import type { ClusterRef, NodeRef } from '../../domain/job/orders.ts'
import type { Engine, Member, ReachedNode } from '../engines/engine.ts'
import { Failure, type Work } from '../messaging/worker.ts'
import type { Provider } from '../providers/provider.ts'

/** How the controller gets from a cluster's description to its machines. */
export type Nodes = {
  readonly engine: (cluster: ClusterRef) => Engine
  readonly node: (cluster: ClusterRef, nodeId: string) => NodeRef
  readonly member: (cluster: ClusterRef, nodeId: string) => Member
  /** Where the node's machine comes from. */
  readonly provider: (cluster: ClusterRef, nodeId: string) => Provider
  /** The machine, for looking and for signals; undefined when it is gone. */
  readonly find: (cluster: ClusterRef, nodeId: string, work: Work) => Promise<ReachedNode | undefined>
  /** The machine, which must be there. */
  readonly reach: (cluster: ClusterRef, nodeId: string, work: Work) => Promise<ReachedNode>
}

/**
 * @throws Failure, from each member, for an engine, a provider or a node that we do not have: no repetition helps
 */
export const nodes = ({
  engines,
  providers,
}: {
  readonly engines: readonly Engine[]
  readonly providers: readonly Provider[]
}): Nodes => {
  const node = (cluster: ClusterRef, nodeId: string): NodeRef =>
    known(cluster.nodes.find((each) => each.nodeId === nodeId), 'The node is not part of the datastore.')

  const providerOf = (ref: NodeRef): Provider =>
    known(providers.find(({ name }) => name === ref.provider), `There is no provider ${ref.provider} here.`)

  const find: Nodes['find'] = async (cluster, nodeId, work) => {
    const ref = node(cluster, nodeId)
    const provider = providerOf(ref)
    if ((await provider.find(nodeId)) === undefined) return undefined
    return {
      host: await provider.host(nodeId),
      member: memberOf(ref),
      members: cluster.nodes.map(memberOf),
      version: cluster.version,
      instance: ref.instance,
      readOnly: cluster.readOnly === true,
      synchronous: cluster.synchronous === true,
      common: {
        ...(cluster.instance ?? ref.instance),
        ...(cluster.volumeGib === undefined ? {} : { volumeGib: cluster.volumeGib }),
      },
      parameters: cluster.parameters ?? {},
      signal: work.signal,
      note: work.note,
      progress: work.progress,
    }
  }

  const reach: Nodes['reach'] = async (cluster, nodeId, work) => {
    const reached = await find(cluster, nodeId, work)
    if (reached === undefined) throw new Failure(`The machine of ${node(cluster, nodeId).name} is not there.`)
    return reached
  }

  return {
    engine: (cluster) =>
      known(engines.find(({ name }) => name === cluster.engine), `There is no engine ${cluster.engine} here.`),
    node,
    member: (cluster, nodeId) => memberOf(node(cluster, nodeId)),
    provider: (cluster, nodeId) => providerOf(node(cluster, nodeId)),
    find,
    reach,
  }
}

const memberOf = ({ nodeId, name, hostname, address, port }: NodeRef): Member => ({
  nodeId,
  name,
  hostname,
  address,
  port,
})

const known = <T>(found: T | undefined, because: string): T => {
  if (found === undefined) throw new Failure(because, { final: true })
  return found
}
