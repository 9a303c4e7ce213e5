import { randomUUID } from 'node:crypto'
import gossip from '@eventstore/db-client/generated/gossip_grpc_pb.js'
import messages from '@eventstore/db-client/generated/gossip_pb.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import type { handleUnaryCall } from '@grpc/grpc-js'
import type { Service } from './grpc-service.ts'

const { LEADER } = messages.MemberInfo.VNodeState

/** The address and port of an authority; IPv6 in brackets. */
const endpointOf = (authority: string): messages.EndPoint => {
  const colon = authority.lastIndexOf(':')
  return new messages.EndPoint().setAddress(authority.slice(0, colon)).setPort(Number(authority.slice(colon + 1)))
}

/**
 * Discovery: a cluster of one, which leads. It gives the address by which the client has reached it, since that is the
 * one that is known to work for this client.
 */
export const gossipService = (): Service => {
  const instanceId = randomUUID()
  const read: handleUnaryCall<shared.Empty, messages.ClusterInfo> = (call, callback) => {
    const self = new messages.MemberInfo()
      .setInstanceId(new shared.UUID().setString(instanceId))
      .setTimeStamp(`${Date.now()}0000`)
      .setState(LEADER)
      .setIsAlive(true)
      .setHttpEndPoint(endpointOf(call.getHost()))
    callback(null, new messages.ClusterInfo().setMembersList([self]))
  }
  return {
    definition: gossip.GossipService,
    implementation: { read },
    served: [{ service: 'event_store.client.gossip.Gossip', method: 'Read' }],
  }
}
