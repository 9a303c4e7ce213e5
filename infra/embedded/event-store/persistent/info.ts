import messages from '@eventstore/db-client/generated/persistent_pb.js'
import type { Group } from './group.ts'
import { nameOf, placeText } from './source.ts'
import type { ConsumerStatistics, Statistics } from './statistics.ts'

const { ConnectionInfo, Measurement } = messages.SubscriptionInfo

const connectionInfo = (consumer: ConsumerStatistics): messages.SubscriptionInfo.ConnectionInfo =>
  new ConnectionInfo()
    .setFrom(consumer.from)
    .setUsername(consumer.username)
    .setConnectionName(consumer.connectionName)
    .setAverageItemsPerSecond(consumer.averagePerSecond)
    .setTotalItems(`${consumer.total}`)
    .setCountSinceLastMeasurement(`${consumer.sinceLast}`)
    .setAvailableSlots(consumer.availableSlots)
    .setInFlightMessages(consumer.inFlight)
    .setObservedMeasurementsList(
      [...consumer.measured].map(([key, value]) => new Measurement().setKey(key).setValue(`${value}`)),
    )

const withSettings = (info: messages.SubscriptionInfo, { order }: Group): messages.SubscriptionInfo => {
  const { source, settings, startFrom } = order
  return info
    .setResolveLinkTos(settings.resolveLinks)
    .setStartFrom(placeText(source, startFrom === 'end' ? -1 : startFrom))
    .setMessageTimeoutMilliseconds(settings.messageTimeoutMs)
    .setExtraStatistics(settings.extraStatistics)
    .setMaxRetryCount(settings.maxRetryCount)
    .setLiveBufferSize(settings.liveBufferSize)
    .setBufferSize(settings.historyBufferSize)
    .setReadBatchSize(settings.readBatchSize)
    .setCheckPointAfterMilliseconds(settings.checkpointAfterMs)
    .setMinCheckPointCount(settings.minCheckpointCount)
    .setMaxCheckPointCount(settings.maxCheckpointCount)
    .setNamedConsumerStrategy(settings.strategy)
    .setMaxSubscriberCount(settings.maxSubscriberCount)
}

const withStatistics = (info: messages.SubscriptionInfo, statistics: Statistics): messages.SubscriptionInfo => {
  const { counts, consumers } = statistics
  return info
    .setStatus(counts.live ? 'Live' : 'Behind')
    .setConnectionsList(consumers.map(connectionInfo))
    .setAveragePerSecond(statistics.averagePerSecond)
    .setTotalItems(`${statistics.total}`)
    .setCountSinceLastMeasurement(`${statistics.sinceLast}`)
    .setReadBufferCount(counts.readBuffer)
    .setLiveBufferCount(`${counts.liveBuffer}`)
    .setRetryBufferCount(counts.retryBuffer)
    .setTotalInFlightMessages(consumers.reduce((sum, it) => sum + it.inFlight, 0))
    .setOutstandingMessagesCount(counts.outstanding)
    .setParkedMessageCount(`${statistics.parked}`)
}

/** What is told of a group: how it is set up, how far it is, and who reads. */
export const infoOf = (group: Group): messages.SubscriptionInfo => {
  const { source, name } = group.order
  const statistics = group.statistics()
  const place = (it: number | undefined): string => (it === undefined ? '' : placeText(source, it))
  const info = new messages.SubscriptionInfo()
    .setEventSource(nameOf(source))
    .setGroupName(name)
    .setLastCheckpointedEventPosition(place(statistics.checkpointed))
    .setLastKnownEventPosition(place(statistics.known))
  return withStatistics(withSettings(info, group), statistics)
}
