import { LOST_MS } from '../../infra/controller/lost.ts'
import type { ControllerDb } from './stores.ts'

/**
 * Who may take writes, as CMON DB decides it: each of these is one transaction there (infra/controller-store/standing.ts), and
 * the rules are the same.
 */
export const claimPromotion = ({ cluster, hosts }: ControllerDb, epoch: number, nodeId: string,
  positionBytes?: number): boolean => {
  if (cluster.epoch > epoch) return false
  if (epoch > 0 && cluster.promotedEpoch === epoch && cluster.primaryId !== nodeId) return false
  if ((hosts.get(nodeId)?.fencedEpoch ?? null) !== null) return false
  const had = positionBytes === undefined ? {} : { neededBytes: positionBytes }
  Object.assign(cluster, { epoch, promotedEpoch: epoch, primaryId: nodeId, ...had })
  // The promotion takes the lease off the machine that it may have from before.
  Object.assign(hosts.get(nodeId) ?? {}, { leaseTtlMs: null, leaseNames: [] })
  return true
}

export const writeFence = ({ cluster, hosts }: ControllerDb, epoch: number, nodeId: string): boolean => {
  const host = hosts.get(nodeId)
  if (host === undefined || cluster.epoch > epoch) return false
  if (cluster.promotedEpoch === epoch) return host.fencedEpoch === epoch
  cluster.epoch = epoch
  host.fencedEpoch = epoch
  return true
}

export const takeFenceBack = ({ cluster, hosts }: ControllerDb, epoch: number, nodeId: string): boolean => {
  const host = hosts.get(nodeId)
  if (host === undefined || cluster.epoch > epoch || cluster.primaryId !== nodeId) return false
  Object.assign(cluster, { epoch, promotedEpoch: epoch, primaryId: nodeId })
  host.fencedEpoch = null
  host.shutDown = false
  return true
}

export const rejoined = ({ hosts }: ControllerDb, nodeId: string): void => {
  const host = hosts.get(nodeId)
  const whole = { fencedEpoch: null, leaseTtlMs: null, leaseNames: [], shutDown: false, lostSince: null }
  if (host !== undefined) Object.assign(host, whole)
}

/** Whoever is told to do no part: from when on is kept until he is told to be well. */
export const toldLost = ({ hosts, now }: ControllerDb, nodeId: string): void => {
  const host = hosts.get(nodeId)
  if (host !== undefined) host.lostSince ??= now()
}

export const toldWell = ({ hosts }: ControllerDb, nodeId: string): void => {
  const host = hosts.get(nodeId)
  if (host !== undefined) host.lostSince = null
}

/** Who has been lost for so long that no job waits for him. */
export const lostFor = ({ hosts, now }: ControllerDb): ReadonlySet<string> =>
  new Set([...hosts].flatMap(([name, { lostSince }]) => (lostSince !== null && now() - lostSince >= LOST_MS ? [name] : [])))
