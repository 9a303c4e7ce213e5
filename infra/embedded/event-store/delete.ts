import shared from '@eventstore/db-client/generated/shared_pb.js'
import streams from '@eventstore/db-client/generated/streams_pb.js'
import type { handleUnaryCall } from '@grpc/grpc-js'
import { targetOf } from './append-request.ts'
import { ABSENT } from './record.ts'
import { malformed, refusalOf, streamDeleted, wrongExpectedVersion } from './refusal.ts'
import { isMetadataStream } from './stream-metadata.ts'
import type { Expected } from './version-rules.ts'
import type { Appended, Writer } from './writer.ts'

/** What is expected of a stream, as error trailers write it. */
const numberOf = (expected: Expected): number =>
  typeof expected === 'number' ? expected : expected === 'any' ? -2 : -4

type Target = ReturnType<typeof targetOf>
type Options = Parameters<typeof targetOf>[0] & { hasRevision(): boolean; getRevision(): string }

/** @throws Refusal for a metadata stream: it goes with its stream */
const deletionOf = (options: Options | undefined): Target => {
  if (options === undefined) throw malformed('a deletion has options')
  const target = targetOf(options, options.hasRevision() ? options.getRevision() : undefined)
  if (isMetadataStream(target.stream)) throw malformed(`${target.stream} cannot be deleted by itself`)
  return target
}

/** @throws Refusal unless the stream is deleted by this call */
const positionOf = ({ stream, expected }: Target, appended: Appended): string | undefined => {
  if (appended.outcome === 'deleted') throw streamDeleted(stream)
  if (appended.outcome === 'written') return appended.position?.toString()
  const actual = appended.revision === ABSENT ? undefined : appended.revision
  throw wrongExpectedVersion(stream, { expected: numberOf(expected), actual })
}

/** The Delete call: the stream is hidden until it is written again. A conflict is an error, with its trailers. */
export const deleteCall =
  (log: Pick<Writer, 'remove'>): handleUnaryCall<streams.DeleteReq, streams.DeleteResp> =>
  ({ request }, callback) => {
    const answer = async (): Promise<streams.DeleteResp> => {
      const target = deletionOf(request.getOptions())
      const position = positionOf(target, await log.remove(target.stream, target.expected))
      if (position === undefined) return new streams.DeleteResp().setNoPosition(new shared.Empty())
      const at = new streams.DeleteResp.Position().setCommitPosition(position).setPreparePosition(position)
      return new streams.DeleteResp().setPosition(at)
    }
    answer().then((response) => callback(null, response), (error: unknown) => callback(refusalOf(error)))
  }

/** The Tombstone call: the stream ends for ever, with its metadata. A conflict is an error, with its trailers. */
export const tombstoneCall =
  (log: Pick<Writer, 'tombstone'>): handleUnaryCall<streams.TombstoneReq, streams.TombstoneResp> =>
  ({ request }, callback) => {
    const answer = async (): Promise<streams.TombstoneResp> => {
      const target = deletionOf(request.getOptions())
      const position = positionOf(target, await log.tombstone(target.stream, target.expected))
      if (position === undefined) return new streams.TombstoneResp().setNoPosition(new shared.Empty())
      const at = new streams.TombstoneResp.Position().setCommitPosition(position).setPreparePosition(position)
      return new streams.TombstoneResp().setPosition(at)
    }
    answer().then((response) => callback(null, response), (error: unknown) => callback(refusalOf(error)))
  }
