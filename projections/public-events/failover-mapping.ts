import type {
  FailoverHeldBack, NodeLost, NodeRecovered, PrimaryChanged, PrimaryRecovered, ServerRestarted,
} from '../../domain/datastore/messages.ts'
import type { PublicEvent } from './contract.ts'

type Told<E> = (event: E) => readonly PublicEvent[]

/** What integrators get of nodes that are lost and come back. Reasons stay inside. */
export const failoverMapping = {
  PrimaryChanged: (({ data }) => {
    const { datastoreId, jobId, epoch, formerId, primaryId, fencedBy, lastSeenAt, writesBackAt, lostBytesMax } = data
    const writesOutMsMax = Math.max(0, Date.parse(writesBackAt) - Date.parse(lastSeenAt))
    return [
      {
        type: 'dev.ccx.datastore.primary-changed.v1',
        subject: `datastores/${datastoreId}`,
        data: {
          datastoreId, jobId, epoch, formerNodeId: formerId, primaryNodeId: primaryId, lastSeenAt, writesBackAt,
          ...(fencedBy === undefined ? {} : { fencedBy }), writesOutMsMax, lostBytesMax,
        },
      },
    ]
  }) satisfies Told<PrimaryChanged>,
  FailoverHeldBack: (({ data: { datastoreId, primaryId, lastSeenAt, until } }) => [
    {
      type: 'dev.ccx.datastore.failover-held-back.v1',
      subject: `datastores/${datastoreId}`,
      data: { datastoreId, primaryNodeId: primaryId, lastSeenAt, until },
    },
  ]) satisfies Told<FailoverHeldBack>,
  PrimaryRecovered: (({ data: { datastoreId, primaryId, lastSeenAt, at } }) => [
    {
      type: 'dev.ccx.datastore.primary-recovered.v1',
      subject: `datastores/${datastoreId}`,
      data: { datastoreId, primaryNodeId: primaryId, lastSeenAt, backAt: at },
    },
  ]) satisfies Told<PrimaryRecovered>,
  NodeLost: (({ data: { nodeId, datastoreId, since } }) => [
    { type: 'dev.ccx.node.lost.v1', subject: `nodes/${nodeId}`, data: { nodeId, datastoreId, since } },
  ]) satisfies Told<NodeLost>,
  NodeRecovered: (({ data: { nodeId, datastoreId, downMs } }) => [
    { type: 'dev.ccx.node.recovered.v1', subject: `nodes/${nodeId}`, data: { nodeId, datastoreId, downMs } },
  ]) satisfies Told<NodeRecovered>,
  ServerRestarted: (({ data: { nodeId, datastoreId, role, downSince, backAt } }) => [
    {
      type: 'dev.ccx.node.server-restarted.v1',
      subject: `nodes/${nodeId}`,
      data: { nodeId, datastoreId, role, downSince, backAt },
    },
  ]) satisfies Told<ServerRestarted>,
}
