import { z } from 'zod'
import type { Log } from '../log.ts'
import { JSON_CONTENT } from '../stream-metadata.ts'
import type { GroupOrder } from './group.ts'
import { ownStream } from './own-stream.ts'
import { isStrategy } from './settings.ts'
import { ALL, FilterRule, nameOf, placeFrom, placeText, type Source } from './source.ts'

const CONFIG_TYPE = '$PersistentConfig'
const KEPT = 2

const Count = z.number().int()
const Entry = z.object({
  stream: z.string(),
  group: z.string(),
  filter: FilterRule.nullable(),
  resolveLinkTos: z.boolean(),
  extraStatistics: z.boolean(),
  messageTimeout: Count,
  startPosition: z.string(),
  /** Where the end was when the group was made to begin there, so that a restart loses nothing before its checkpoint. */
  endWas: Count,
  liveBufferSize: Count,
  historyBufferSize: Count,
  maxRetryCount: Count,
  readBatchSize: Count,
  checkPointAfter: Count,
  minCheckPointCount: Count,
  maxCheckPointCount: Count,
  maxSubscriberCount: Count,
  namedConsumerStrategy: z.string().refine(isStrategy),
})
const Config = z.object({ version: z.literal('2'), entries: z.array(Entry) })

const entryOf = ({ source, name, settings, startFrom, endWas }: GroupOrder): z.input<typeof Entry> => ({
  stream: nameOf(source),
  group: name,
  filter: (source.stream === undefined ? source.filter : undefined) ?? null,
  resolveLinkTos: settings.resolveLinks,
  extraStatistics: settings.extraStatistics,
  messageTimeout: settings.messageTimeoutMs,
  startPosition: placeText(source, startFrom === 'end' ? -1 : startFrom),
  endWas,
  liveBufferSize: settings.liveBufferSize,
  historyBufferSize: settings.historyBufferSize,
  maxRetryCount: settings.maxRetryCount,
  readBatchSize: settings.readBatchSize,
  checkPointAfter: settings.checkpointAfterMs,
  minCheckPointCount: settings.minCheckpointCount,
  maxCheckPointCount: settings.maxCheckpointCount,
  maxSubscriberCount: settings.maxSubscriberCount,
  namedConsumerStrategy: settings.strategy,
})

const orderOf = (entry: z.infer<typeof Entry>): GroupOrder => {
  const source: Source =
    entry.stream === ALL ? { stream: undefined, filter: entry.filter ?? undefined } : { stream: entry.stream }
  return {
    source,
    name: entry.group,
    startFrom: placeFrom(source, entry.startPosition) ?? 'end',
    endWas: entry.endWas,
    settings: {
      resolveLinks: entry.resolveLinkTos,
      extraStatistics: entry.extraStatistics,
      messageTimeoutMs: entry.messageTimeout,
      maxRetryCount: entry.maxRetryCount,
      checkpointAfterMs: entry.checkPointAfter,
      minCheckpointCount: entry.minCheckPointCount,
      maxCheckpointCount: entry.maxCheckPointCount,
      maxSubscriberCount: entry.maxSubscriberCount,
      liveBufferSize: entry.liveBufferSize,
      readBatchSize: entry.readBatchSize,
      historyBufferSize: entry.historyBufferSize,
      strategy: entry.namedConsumerStrategy,
    },
  }
}

/** Which groups there are, in a stream of its own. */
export type Configuration = {
  /** @throws when the log cannot be read, or what stands there is none of ours */
  readonly load: () => Promise<readonly GroupOrder[]>
  /** @param user who changed it. @param nowMs when */
  readonly save: (orders: readonly GroupOrder[], user: string, nowMs: number) => Promise<void>
}

export const configurationIn = (log: Log): Configuration => {
  const stream = ownStream(log, '$persistentSubscriptionConfig')
  return {
    load: async () => {
      const last = await stream.last()
      return last === undefined ? [] : Config.parse(JSON.parse(last.data.toString())).entries.map(orderOf)
    },
    save: async (orders, user, nowMs) => {
      if ((await stream.last()) === undefined) await stream.keep({ $maxCount: KEPT })
      const updated = new Date(nowMs).toISOString()
      const data = JSON.stringify({ version: '2', updated, updatedBy: user, entries: orders.map(entryOf) })
      await stream.append({ type: CONFIG_TYPE, contentType: JSON_CONTENT, data })
    },
  }
}
