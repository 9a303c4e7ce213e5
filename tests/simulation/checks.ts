import type { Datastore } from '../../domain/datastore/datastore.ts'
import type { Acknowledged } from './client.ts'
import type { Machine } from './machine.ts'
import { beginsWith, takesWrites } from './server.ts'
import type { Site } from './site.ts'

/** What must never happen, or must have happened in the end. */
export type Breach = { readonly rule: string; readonly atMs: number; readonly says: string }

/** A primary's time: which node was promoted, in which epoch, with what. */
type Reign = { readonly machine: Machine; readonly epoch: number }

export type Checks = ReturnType<typeof checks>

/** Looks on, and holds what is seen against the rules. Takes part in nothing. */
export const checks = (site: () => Site) => {
  const breaches: Breach[] = []
  const acknowledged: Acknowledged[] = []
  const reigns: Reign[] = []
  /** By the tenant's choice nothing was fenced: two primaries are his price. */
  let chosen = false
  /** By his choice one was promoted although not all that might have had more were seen. */
  let unseen = false
  let looked = 0

  const breach = (rule: string, says: string): void => {
    const { world } = site()
    world.trace(() => `BREACH of "${rule}": ${says}`)
    breaches.push({ rule, atMs: world.now(), says })
  }

  const isMissing = (log: readonly number[], entry: number): boolean => !log.includes(entry)

  return {
    breaches,
    acknowledged,
    isChosen: (): boolean => chosen,

    promoted: (machine: Machine, epoch: number): void => {
      const same = reigns.find((reign) => reign.epoch === epoch && reign.machine !== machine)
      if (same !== undefined && epoch > 0) {
        breach('one promotion in an epoch', `${same.machine.name} and ${machine.name} were both promoted in epoch ${epoch}`)
      }
      reigns.push({ machine, epoch })
    },

    /** A server tells its client of success, at this moment. */
    confirmed: (machine: Machine, entry: number): void => {
      const newest = reigns.at(-1)
      if (newest === undefined || newest.machine === machine || chosen) return
      // Whoever has taken over has it as well: nobody was told anything that is not so.
      if (!isMissing(newest.machine.disk.log, entry)) return
      const says = `${machine.name} confirms entry ${entry} after ${newest.machine.name} was promoted`
      breach('one node takes writes', `${says} in epoch ${newest.epoch}`)
    },

    told: (write: Acknowledged): void => void acknowledged.push(write),

    /** Looks through what was written since the last time, for what a tenant has chosen to pay. */
    noticed: (size: number): void => {
      const { all } = site().log
      for (; looked < all.length; looked++) {
        const one = all[looked]
        if (one?.of !== 'job' || one.event.type !== 'StepSucceeded') continue
        const { fencedBy, positions } = one.event.data.result
        if (fencedBy === 'nothing') chosen = true
        if (positions !== undefined && Object.keys(positions).length < size - 1) unseen = true
      }
    },

    /** Decisions are counted in the log, not where they are carried out. */
    decided: (): void => {
      const seen = new Map<number, string>()
      for (const event of site().log.history) {
        if (event.type !== 'JobAdmitted' || event.data.kind !== 'fail-over') continue
        const epoch = event.data.input.epoch ?? 0
        const before = seen.get(epoch)
        if (before !== undefined && before !== event.data.jobId) {
          breach('one decision in an epoch', `${before} and ${event.data.jobId} both decide epoch ${epoch}`)
        }
        seen.set(epoch, event.data.jobId)
      }
    },

    /** What was acknowledged is still there. */
    kept: (synchronous: boolean): number => {
      const { machines, db } = site()
      const primary = machines.all.get(db.cluster.primaryId)
      const there = new Set(primary?.disk.log)
      const lost = acknowledged.filter(({ entry }) => !there.has(entry))
      if (synchronous && !chosen && !(unseen && site().prefer === 'availability')) {
        for (const { entry, node, atMs } of lost.slice(0, 3)) {
          breach('nothing acknowledged is lost', `entry ${entry}, acknowledged by ${node} at ${atMs}, is not there any more`)
        }
      }
      return lost.length
    },

    /** @returns what keeps it from being well; undefined: nothing does */
    unwell: (): string | undefined => whyUnwell(site()),
  }
}

const whyUnwell = ({ machines, db, dns, log }: Site): string | undefined => {
  const state: Datastore = log.datastore()
  if (state.status !== 'running') return `the datastore is ${state.status}`
  if (state.queue.length > 0) return `${state.queue[0]?.kind} is at work`
  const running = log.openJobs()
  if (running.length > 0) return `job ${running[0]} is not over`
  const known = state.nodes.find(({ role }) => role === 'primary')?.nodeId
  if (known !== db.cluster.primaryId) return `the log has ${known} for the primary, CMON DB ${db.cluster.primaryId}`
  if (dns.primary !== known) return `the name leads to ${dns.primary}, the primary is ${known}`
  const primary = machines.all.get(known)
  if (primary === undefined || !takesWrites(primary.server)) return `${known} takes no writes`
  for (const { nodeId } of state.nodes) {
    const machine = machines.all.get(nodeId)
    if (machine === undefined || machine === primary) continue
    if (!machine.server.actor.alive) return `the server of ${nodeId} is down`
    if (takesWrites(machine.server)) return `${nodeId} takes writes, too`
    if (machine.disk.upstream !== known) return `${nodeId} follows ${machine.disk.upstream}`
    if (!primary.server.attached.has(nodeId)) return `${nodeId} streams nothing`
    if (!beginsWith(primary.disk.log, machine.disk.log)) return `${nodeId} has what ${known} has not`
    if ((db.hosts.get(nodeId)?.fencedEpoch ?? null) !== null) return `${nodeId} is still fenced`
  }
  return undefined
}
