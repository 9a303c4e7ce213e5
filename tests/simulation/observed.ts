import type { DatastoreCommand } from '../../domain/datastore/messages.ts'
import type { Observation } from '../../infra/messaging/observation.ts'

/** What a repeat of it has alike. */
const idOf = (observation: Observation): string => {
  const what = observation.kind === 'primary-unreachable' ? `${observation.primaryId}/${observation.epoch}`
    : 'nodeId' in observation ? observation.nodeId : ''
  return `${observation.kind}/${observation.at}/${what}`
}

/**
 * The command that follows from an observation, as the runner makes it. Its ids are derived, so that a repeat is
 * recognised.
 */
export const followUp = (observation: Observation,
  now: string): { readonly command: DatastoreCommand; readonly commandId: string } | undefined => {
  const id = idOf(observation)
  const { datastoreId, at: observedAt } = observation
  const about = { datastoreId, jobId: `job:${id}`, observedAt, now }
  const commandId = `command:${id}`
  switch (observation.kind) {
    case 'primary-unreachable': {
      const { primaryId, epoch, lastSeenAt, because, positionBytes } = observation
      return { commandId, command: { type: 'ReportPrimaryUnreachable', data: { ...about, primaryId, epoch, lastSeenAt,
        because, positionBytes } } }
    }
    case 'node-silent': {
      const { nodeId, since, machineAnswers } = observation
      const fresh = { nodeId: `nod_${id}`, name: `db-${id}` }
      return { commandId, command: { type: 'ReportNodeSilent', data: { ...about, nodeId, since, machineAnswers, fresh } } }
    }
    case 'node-back':
      return { commandId, command: { type: 'ReportNodeBack', data: { ...about, nodeId: observation.nodeId } } }
    case 'node-well':
      return { commandId, command: { type: 'ReportNodeWell', data: { ...about, nodeId: observation.nodeId } } }
    case 'server-restarted': {
      const { nodeId, role, downSince, backAt } = observation
      return { commandId, command: { type: 'RecordServerRestart', data: { datastoreId, nodeId, role, downSince, backAt,
        now } } }
    }
    case 'disk-usage':
      return undefined
  }
}
