import { normalisedSource } from '../../domain/datastore/source.ts'
import type { ClusterRef } from '../../domain/job/orders.ts'
import type { NodeContext } from '../engines/engine.ts'
import type { Work } from '../messaging/worker.ts'
import { withLease } from './first-lease.ts'
import type { Parts } from './parts.ts'

export type NodeOf = { readonly cluster: ClusterRef; readonly nodeId: string }

/** A node with its certificate and the engine's passwords opened, for the verbs that need them. */
export const open = async (parts: Parts, { cluster, nodeId }: NodeOf, work: Work): Promise<NodeContext> => {
  const { nodes, credentials } = parts
  const [reached, certificate, secrets, trusted] = await Promise.all([
    nodes.reach(cluster, nodeId, work),
    credentials.nodeCertificate(cluster, nodes.node(cluster, nodeId)),
    credentials.engineSecrets(cluster),
    trustedBy(parts, cluster),
  ])
  return withLease(parts, { cluster, nodeId }, { ...reached, certificate, secrets, trusted })
}

/** The ranges that clients may come from. One that cannot be opened any more lets nobody in. */
export const trustedBy = async ({ personal }: Parts, { trusted }: ClusterRef): Promise<readonly string[] | undefined> =>
  trusted && (await personal.open(trusted)).flatMap((source) => normalisedSource(source) ?? [])
