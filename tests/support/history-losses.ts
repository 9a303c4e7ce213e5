import type { Live } from '../../domain/datastore/state.ts'
import { later } from '../../domain/kernel/time.ts'
import { sendStore, type World } from './history-world.ts'

const MINUTE_MS = 60_000

/** What a controller may see of a datastore that loses nodes, some of it out of date, and of the wrong node. */
export const loseSomething = (own: World, datastoreId: string, state: Live): void => {
  const { seed, clock, roll, pick } = own
  const node = pick(state.nodes)
  if (node === undefined) return
  const { nodeId, role } = node
  const count = ++clock.count
  const { now } = clock
  const about = { datastoreId, jobId: `job_${seed}_${count}`, observedAt: later(now, -Math.floor(roll() * 1_000)), now }
  const since = later(now, -Math.floor(roll() * 10 * MINUTE_MS))
  const primary = state.nodes.find((one) => one.role === 'primary')
  if (primary !== undefined && state.primacy.lostSince !== null && state.failover === null) {
    return sendStore(own, { type: 'ReportNodeWell', data: { ...about, nodeId: primary.nodeId } })
  }
  const chance = roll()
  if (chance < 0.6) {
    const { failover } = state
    const isPrimary = failover === null && chance < 0.4
    const primaryId = isPrimary ? (primary?.nodeId ?? nodeId) : nodeId
    const seen = { epoch: failover?.epoch ?? state.epoch, lastSeenAt: since, because: 'it does not answer' }
    const positionBytes = roll() < 0.3 ? null : 1_000 + count
    return sendStore(own, { type: 'ReportPrimaryUnreachable', data: { ...about, primaryId, ...seen, positionBytes } })
  }
  if (chance < 0.85) {
    const fresh = { nodeId: `${datastoreId}_nod_${count}`, name: `db-${count}` }
    const machineAnswers = roll() < 0.5
    return sendStore(own, { type: 'ReportNodeSilent', data: { ...about, nodeId, since, machineAnswers, fresh } })
  }
  if (chance < 0.9) return sendStore(own, { type: 'ReportNodeBack', data: { ...about, nodeId } })
  if (chance < 0.95) {
    return sendStore(own, { type: 'ReportNodeWell', data: { ...about, nodeId: pick(Object.keys(state.lost)) ?? nodeId } })
  }
  sendStore(own, { type: 'RecordServerRestart', data: { datastoreId, nodeId, role, downSince: since, backAt: now, now } })
}
