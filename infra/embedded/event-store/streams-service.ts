import streams from '@eventstore/db-client/generated/streams_grpc_pb.js'
import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js'
import type { handleServerStreamingCall } from '@grpc/grpc-js'
import { appendCall } from './append.ts'
import { batchAppendCall } from './batch-append.ts'
import { deleteCall, tombstoneCall } from './delete.ts'
import { outlet } from './outlet.ts'
import { readRequestOf } from './read-request.ts'
import { read } from './read.ts'
import { refusalOf } from './refusal.ts'
import type { Service, Serving } from './grpc-service.ts'
import { subscribe } from './subscribe.ts'

const STREAMS = 'event_store.client.streams.Streams'

/** Reads answer with bytes that are protobuf already. */
const readMethod = { ...streams.StreamsService.read, responseSerialize: (bytes: Buffer): Buffer => bytes }

const readCall = ({ log, calls, access }: Serving): handleServerStreamingCall<ReadReq, Buffer> => (call) => {
  const to = outlet(calls.add(call))
  const answer = async (): Promise<void> => {
    const request = readRequestOf(call.request)
    await access.require(call, 'read', request.stream ?? '$all')
    await (request.limit === undefined ? subscribe(log, request, to) : read(log, request, to))
  }
  answer().catch((error: unknown) => to.fail(refusalOf(error)))
}

type Append = ReturnType<typeof appendCall>
type BatchAppend = ReturnType<typeof batchAppendCall>

/** Appends, reads and catch-up subscriptions. */
export const streamsService = (serving: Serving): Service => {
  const { access, calls } = serving
  const append: Append = (call, callback) => appendCall(access.logOf(call))(call, callback)
  const batchAppend: BatchAppend = (call) => batchAppendCall(access.logOf(call))(calls.add(call))
  const mayDelete: Parameters<typeof deleteCall>[1] = (call, stream) => access.require(call, 'delete', stream)
  return {
    definition: { ...streams.StreamsService, read: readMethod },
    implementation: {
      read: readCall(serving),
      append,
      batchAppend,
      delete: deleteCall(serving.log, mayDelete),
      tombstone: tombstoneCall(serving.log, mayDelete),
    },
    served: [
      { service: STREAMS, method: 'Read', features: ['position', 'events'] },
      { service: STREAMS, method: 'Append' },
      { service: STREAMS, method: 'Delete' },
      { service: STREAMS, method: 'Tombstone' },
      { service: STREAMS, method: 'BatchAppend' },
    ],
  }
}
