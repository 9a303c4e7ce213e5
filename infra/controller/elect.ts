import { type Candidate, electedOf } from '../../domain/failover/ranking.ts'
import type { NodeRef, OrderBodies, OrderResult } from '../../domain/job/orders.ts'
import { Failure, type Work } from '../messaging/worker.ts'
import { replaced } from './guard.ts'
import type { Parts } from './parts.ts'
import { within } from '../within.ts'

const STANDING_TIMEOUT_MS = 1_500

type Few = Pick<Parts, 'nodes' | 'store'>
type Body = Readonly<OrderBodies['cmon.elect-primary']>

/**
 * Asks every member that may be promoted for its position, all at once, each for a moment only: whoever does not answer by
 * then would keep writes waiting as a primary, too. They receive nothing more from then on.
 *
 * @returns the chosen node, and the positions of all that have answered
 * @throws Failure when nobody may be promoted, and why
 */
export const elect = async (parts: Few, body: Body, work: Work): Promise<OrderResult> => {
  const { nodes, store } = parts
  const { cluster, lostId, synchronous, prefer, lagMaxBytes, lastKnownBytes } = body
  const standing = await store.standing(cluster.datastoreId)
  if (standing !== undefined && standing.epoch > (cluster.epoch ?? 0)) throw replaced()
  const asked = await members(parts, body)
  const answers = await Promise.all(asked.map(async (node) => ({ node, candidate: await ask(parts, body, node, work) })))
  const candidates = answers.flatMap(({ candidate }) => (candidate === undefined ? [] : [candidate]))
  const silent = answers.flatMap(({ node, candidate }) => (candidate === undefined ? [node.name] : []))
  for (const { name, positionBytes } of candidates) work.note(`${name} has received ${positionBytes} bytes`)
  for (const name of silent) work.note(`${name} does not answer`)
  const { zone } = nodes.node(cluster, lostId)
  const choice = electedOf({ candidates, silent, zone, synchronous, prefer, lagMaxBytes, lastKnownBytes })
  if (!('elected' in choice)) throw new Failure(choice.because)
  work.note(`${choice.elected.name} is to be the primary`)
  return {
    elected: choice.elected.nodeId,
    positions: Object.fromEntries(candidates.map(({ nodeId, positionBytes }) => [nodeId, positionBytes])),
  }
}

/** All that have taken part, but the lost primary and those that are fenced: what these have, they have from before. */
const members = async ({ store }: Few, { cluster, lostId }: Body): Promise<readonly NodeRef[]> => {
  const hosts = new Map((await store.hosts(cluster.datastoreId)).map((host) => [host.nodeId, host]))
  return cluster.nodes.filter(({ nodeId }) => {
    const host = hosts.get(nodeId)
    return nodeId !== lostId && host?.fencedEpoch == null && host?.joined !== false
  })
}

const ask = async ({ nodes }: Few, { cluster }: Body, node: NodeRef, work: Work): Promise<Candidate | undefined> => {
  const { nodeId, name, zone, instance } = node
  const signal = AbortSignal.any([work.signal, AbortSignal.timeout(STANDING_TIMEOUT_MS)])
  try {
    const { positionBytes, timeline } = await within(signal, async () =>
      nodes.engine(cluster).standing(await nodes.reach(cluster, nodeId, { ...work, signal })),
    )
    return { nodeId, name, zone, instance, positionBytes, timeline }
  } catch {
    work.signal.throwIfAborted()
    return undefined
  }
}
