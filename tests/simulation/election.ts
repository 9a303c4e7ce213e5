import { type Candidate, electedOf } from '../../domain/failover/ranking.ts'
import type { OrderBodies } from '../../domain/job/orders.ts'
import { type Came, VERB_MS, asked } from './commands.ts'
import type { Doing } from './network.ts'
import type { Site } from './site.ts'
import type { Actor } from './world.ts'

/** A position of a log of entries, as the bytes that a real one would tell. */
export const ENTRY_BYTES = 1_000

/**
 * Asks every member that may be promoted for its position, which is final from then on; the real ranking names the one. Whoever
 * is fenced is not asked: what it has, it has from before (infra/controller/elect.ts).
 */
export function* elect(site: Site, own: Actor, body: OrderBodies['cmon.elect-primary']): Doing<Came> {
  const { net, db, machines, mistakes } = site
  const known = yield* asked(site, own, () => ({
    members: site.names.filter((name) => name !== body.lostId && db.hosts.get(name)?.fencedEpoch === null),
    neededBytes: db.cluster.neededBytes,
  }))
  if (known === undefined) return { because: 'CMON DB does not answer', final: false }
  const { members, neededBytes } = known
  const answers = yield* net.beside(own, members.map(function* (name): Doing<Candidate | undefined> {
    const machine = machines.all.get(name)
    if (machine === undefined) return undefined
    const standing = yield* net.call<{ position: number; timeline: number }>(own, machine.actor, VERB_MS, (answer) => {
      if (machine.server.actor.alive && machine.server.role === 'replica') answer(machines.standing(machine))
    })
    if (standing === undefined) return undefined
    const positionBytes = standing.position * ENTRY_BYTES
    return { nodeId: name, name, instance: { cpu: 1, ramGb: 2 }, timeline: standing.timeline, positionBytes }
  }))
  const seen = answers.flatMap((one) => one ?? [])
  const silent = members.filter((name) => !seen.some(({ nodeId }) => nodeId === name))
  const { synchronous, prefer, lagMaxBytes, lastKnownBytes } = body
  const choice = electedOf({ candidates: seen, silent, synchronous, prefer, lagMaxBytes, lastKnownBytes, neededBytes })
  if (!('elected' in choice)) return { because: choice.because, final: false }
  const least = seen.toSorted((a, b) => a.positionBytes - b.positionBytes)[0]
  const elected = mistakes.lagging === true && least !== undefined ? least : choice.elected
  return {
    result: { elected: elected.nodeId, positions: Object.fromEntries(seen.map(({ nodeId, positionBytes }) => [nodeId,
      positionBytes])) },
  }
}
