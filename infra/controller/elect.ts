import { setTimeout } from 'node:timers/promises'
import { type Candidate, type Elected, electedOf } from '../../domain/failover/ranking.ts'
import type { NodeRef, OrderBodies, OrderResult } from '../../domain/job/orders.ts'
import { Failure, type Work } from '../messaging/worker.ts'
import { replaced } from './guard.ts'
import type { Parts } from './parts.ts'
import { within } from '../within.ts'

const MOMENT_MS = 1_500
/** One that takes longer would keep writes waiting as a primary, too. */
const STANDING_TIMEOUT_MS = 5_000

type Few = Pick<Parts, 'nodes' | 'store'>
type Body = Readonly<OrderBodies['cmon.elect-primary']>

/**
 * Asks every member that may be promoted for its position, all at once. Whoever takes longer than a moment is waited for only
 * where nobody can be chosen without him. They receive nothing more from then on.
 *
 * @param options.momentMs default 1,500
 * @returns the chosen node, and the positions of all that have answered
 * @throws Failure when nobody may be promoted, and why
 */
export const elect = async (
  parts: Few,
  body: Body,
  work: Work,
  { momentMs = MOMENT_MS }: { readonly momentMs?: number } = {},
): Promise<OrderResult> => {
  const { nodes, store } = parts
  const { cluster, lostId } = body
  const standing = await store.standing(cluster.datastoreId)
  if (standing !== undefined && standing.epoch > (cluster.epoch ?? 0)) throw replaced()
  const { neededBytes } = standing ?? {}
  const asked = await members(parts, body)
  const chosen = new AbortController()
  // One that would still stop receiving after the election would not follow the new primary.
  const signal = AbortSignal.any([work.signal, chosen.signal, AbortSignal.timeout(STANDING_TIMEOUT_MS)])
  const answers = new Map<string, Candidate>()
  const all = Promise.all(
    asked.map(async (node) => {
      const candidate = await ask(parts, body, node, { ...work, signal })
      if (candidate !== undefined) answers.set(node.nodeId, candidate)
    }),
  )
  const { zone } = nodes.node(cluster, lostId)
  const choose = () => {
    const candidates = [...answers.values()]
    const silent = asked.filter(({ nodeId }) => !answers.has(nodeId)).map(({ name }) => name)
    return { candidates, silent, choice: electedOf({ ...body, neededBytes, candidates, silent, zone }) }
  }
  try {
    await Promise.race([all, setTimeout(momentMs, undefined, { signal })])
    if (!('elected' in choose().choice)) await all
    work.signal.throwIfAborted()
    return told(choose(), work)
  } finally {
    chosen.abort(new Error('the election is over'))
  }
}

type Choice = { readonly candidates: readonly Candidate[]; readonly silent: readonly string[]; readonly choice: Elected }

const told = ({ candidates, silent, choice }: Choice, work: Work): OrderResult => {
  for (const { name, positionBytes } of candidates) work.note(`${name} has received ${positionBytes} bytes`)
  for (const name of silent) work.note(`${name} does not answer`)
  if (!('elected' in choice)) throw new Failure(choice.because, { final: choice.final === true })
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
  try {
    const { positionBytes, timeline } = await within(work.signal, async () =>
      nodes.engine(cluster).standing(await nodes.reach(cluster, nodeId, work)),
    )
    return { nodeId, name, zone, instance, positionBytes, timeline }
  } catch {
    return undefined
  }
}
