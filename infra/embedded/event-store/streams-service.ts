import streams from '@eventstore/db-client/generated/streams_grpc_pb.js'
import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js'
import type { handleServerStreamingCall } from '@grpc/grpc-js'
import type { Access } from './access/index.ts'
import { appendCall } from './append.ts'
import { batchAppendCall } from './batch-append.ts'
import { deleteCall, tombstoneCall } from './delete.ts'
import type { Log } from './log.ts'
import { outlet } from './outlet.ts'
import { readRequestOf } from './read-request.ts'
import { read } from './read.ts'
import { isDenial, refusalOf } from './refusal.ts'
import type { Service, Serving } from './grpc-service.ts'
import { subscribe } from './subscribe.ts'

const STREAMS = 'event_store.client.streams.Streams'

/** Reads answer with bytes that are protobuf already. */
const readMethod = { ...streams.StreamsService.read, responseSerialize: (bytes: Buffer): Buffer => bytes }

/** The log for one reader: what a link stands for is only for those who may read it where it is. */
const logFor = ({ log, access }: Serving, call: Parameters<Access['require']>[0], asked: string | undefined): Log => ({
  ...log,
  readStream: async (stream, page) => {
    try {
      if (stream !== asked) await access.require(call, 'read', stream)
    } catch (error) {
      if (isDenial(error)) return { outcome: 'absent' }
      throw error
    }
    return log.readStream(stream, page)
  },
})

const readCall = (serving: Serving): handleServerStreamingCall<ReadReq, Buffer> => (call) => {
  const to = outlet(serving.calls.add(call))
  const answer = async (): Promise<void> => {
    const request = readRequestOf(call.request)
    await serving.access.require(call, 'read', request.stream ?? '$all')
    const log = logFor(serving, call, request.stream)
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
  const remove: ReturnType<typeof deleteCall> = (call, callback) => deleteCall(access.logOf(call))(call, callback)
  const tombstone: ReturnType<typeof tombstoneCall> = (call, callback) => tombstoneCall(access.logOf(call))(call, callback)
  return {
    definition: { ...streams.StreamsService, read: readMethod },
    implementation: {
      read: readCall(serving),
      append,
      batchAppend,
      delete: remove,
      tombstone,
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
