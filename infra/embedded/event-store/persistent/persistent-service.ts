import grpc from '@eventstore/db-client/generated/persistent_grpc_pb.js'
import messages from '@eventstore/db-client/generated/persistent_pb.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import type { handleUnaryCall, ServerUnaryCall } from '@grpc/grpc-js'
import type { ServedMethod } from '../features.ts'
import type { Service, Serving } from '../grpc-service.ts'
import { refusalOf } from '../refusal.ts'
import { groupsIn } from './groups.ts'
import { infoOf } from './info.ts'
import { readCall } from './read-call.ts'
import { doesNotExist } from './refusals.ts'
import { createOf, listedOf, sourceOf, stopAtOf, updateOf } from './requests.ts'
import { nameOf } from './source.ts'

const SERVICE = 'event_store.client.persistent_subscriptions.PersistentSubscriptions'

/** Clients ask for these features before they use a call for a stream, or for `$all`. */
const EITHER = ['stream', 'all']

const SERVED: readonly ServedMethod[] = [
  ...['Create', 'Update', 'Delete', 'Read', 'GetInfo', 'ReplayParked', 'List'].map((method) =>
    ({ service: SERVICE, method, features: EITHER })),
  { service: SERVICE, method: 'RestartSubsystem' },
]

/** Messages are answered with bytes that are protobuf already. */
const readMethod = { ...grpc.PersistentSubscriptionsService.read, responseSerialize: (bytes: Buffer): Buffer => bytes }

const unary = <Request, Response>(
  answer: (request: Request, call: ServerUnaryCall<Request, Response>) => Promise<Response>,
): handleUnaryCall<Request, Response> =>
  (call, callback) => {
    answer(call.request, call).then(
      (response) => callback(null, response),
      (error: unknown) => callback(refusalOf(error)),
    )
  }

/** Persistent subscriptions: groups of consumers that share a stream, or `$all`, between them. */
export const persistentService = (serving: Serving): Service => {
  const { log, access } = serving
  const groups = groupsIn(log, () => performance.timeOrigin + performance.now())
  const userOf = (call: Parameters<typeof access.principalOf>[0]): string => access.principalOf(call).login ?? ''

  const list = async (request: messages.ListReq): Promise<messages.ListResp> => {
    const stream = listedOf(request)
    const all = await groups.list()
    const found = stream === undefined ? all : all.filter(({ order }) => nameOf(order.source) === stream)
    if (stream !== undefined && found.length === 0) throw doesNotExist({ stream, group: '' })
    return new messages.ListResp().setSubscriptionsList(found.map(infoOf))
  }
  return {
    definition: { ...grpc.PersistentSubscriptionsService, read: readMethod },
    implementation: {
      create: unary(async (request: messages.CreateReq, call) => {
        await groups.create(createOf(request), userOf(call))
        return new messages.CreateResp()
      }),
      update: unary(async (request: messages.UpdateReq, call) => {
        await groups.update(updateOf(request), userOf(call))
        return new messages.UpdateResp()
      }),
      delete: unary(async (request: messages.DeleteReq, call) => {
        const options = request.getOptions()
        await groups.remove(sourceOf(options), options?.getGroupName() ?? '', userOf(call))
        return new messages.DeleteResp()
      }),
      read: readCall(groups, serving),
      getInfo: unary(async (request: messages.GetInfoReq) => {
        const options = request.getOptions()
        const group = await groups.find(sourceOf(options), options?.getGroupName() ?? '')
        return new messages.GetInfoResp().setSubscriptionInfo(infoOf(group))
      }),
      replayParked: unary(async (request: messages.ReplayParkedReq) => {
        const options = request.getOptions()
        const source = sourceOf(options)
        const group = await groups.find(source, options?.getGroupName() ?? '')
        group.replayParked(stopAtOf(options, source))
        return new messages.ReplayParkedResp()
      }),
      list: unary(list),
      restartSubsystem: unary(async () => {
        await groups.restart()
        return new shared.Empty()
      }),
    },
    served: SERVED,
    close: groups.close,
  }
}
