import messages from '@eventstore/db-client/generated/persistent_pb.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import { structured, type UuidForm } from '../encode.ts'
import type { LogRecord } from '../record.ts'
import type { Message } from './message.ts'

const { ReadEvent, SubscriptionConfirmation } = messages.ReadResp

const recorded = (record: LogRecord, form: UuidForm): messages.ReadResp.ReadEvent.RecordedEvent => {
  const event = new ReadEvent.RecordedEvent()
    .setId(form === 'structured' ? structured(record.id) : new shared.UUID().setString(record.id))
    .setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from(record.stream)))
    .setStreamRevision(`${record.revision}`)
    .setCommitPosition(`${record.position}`)
    .setPreparePosition(`${record.position}`)
    .setCustomMetadata(record.metadata)
    .setData(record.data)
  event.getMetadataMap().set('type', record.type)
  event.getMetadataMap().set('content-type', record.contentType)
  event.getMetadataMap().set('created', record.createdTicks)
  return event
}

/** A message as a ReadResp. */
export const messageBytes = ({ event, original, retries }: Message, form: UuidForm): Buffer => {
  const answer = new ReadEvent().setCommitPosition(`${original.position}`).setRetryCount(retries)
  if (event !== undefined) answer.setEvent(recorded(event, form))
  if (event !== original) answer.setLink(recorded(original, form))
  return Buffer.from(new messages.ReadResp().setEvent(answer).serializeBinary())
}

/** The first answer to a consumer. */
export const confirmationBytes = (subscriptionId: string): Buffer => {
  const confirmation = new SubscriptionConfirmation().setSubscriptionId(subscriptionId)
  return Buffer.from(new messages.ReadResp().setSubscriptionConfirmation(confirmation).serializeBinary())
}
