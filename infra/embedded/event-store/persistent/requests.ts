import type messages from '@eventstore/db-client/generated/persistent_pb.js'
import type shared from '@eventstore/db-client/generated/shared_pb.js'
import { streamNameOf } from '../read-request.ts'
import { malformed } from '../refusal.ts'
import type { Wanted } from './groups.ts'
import { failed } from './refusals.ts'
import { isStrategy, type Settings } from './settings.ts'
import { ALL, type FilterRule, nameOf, type Source } from './source.ts'
import type { StrategyName } from './strategies.ts'

/** What clients ask for, as it is meant. Every function throws a Refusal when it makes no sense. */

const UINT64_MAX = 2n ** 64n - 1n
const TICKS_PER_MS = 10_000

/** The names behind the numbers of the protocol's older way to say which strategy is wanted. */
const NUMBERED_STRATEGIES = ['DispatchToSingle', 'RoundRobin', 'Pinned'] as const

/** What lies beyond 2^53 lies beyond every event as well; the largest number of all stands for the end. */
const startOf = (text: string): number | 'end' => {
  const value = BigInt(text)
  return value === UINT64_MAX ? 'end' : Math.min(Number(value), Number.MAX_SAFE_INTEGER - 1)
}

type Named = { getStreamIdentifier(): shared.StreamIdentifier | undefined; hasAll(): boolean }

/** The source that a request names to find a group; its filter plays no part in that. */
export const sourceOf = (options: Named | undefined): Source => {
  if (options?.hasAll() === true) return { stream: undefined, filter: undefined }
  const stream = streamNameOf(options?.getStreamIdentifier())
  if (stream === ALL) throw failed({ stream, group: '' }, 'persistent subscriptions to $all are asked for as such')
  return { stream }
}

const strategyOf = (name: string, number: number): string => (name === '' ? (NUMBERED_STRATEGIES[number] ?? '') : name)

type Timed = messages.CreateReq.Settings | messages.UpdateReq.Settings

const settingsOf = (settings: Timed, strategy: StrategyName): Settings => ({
  strategy,
  resolveLinks: settings.getResolveLinks(),
  extraStatistics: settings.getExtraStatistics(),
  messageTimeoutMs: settings.hasMessageTimeoutTicks()
    ? Math.floor(Number(settings.getMessageTimeoutTicks()) / TICKS_PER_MS)
    : settings.getMessageTimeoutMs(),
  checkpointAfterMs: settings.hasCheckpointAfterTicks()
    ? Math.floor(Number(settings.getCheckpointAfterTicks()) / TICKS_PER_MS)
    : settings.getCheckpointAfterMs(),
  maxRetryCount: settings.getMaxRetryCount(),
  minCheckpointCount: settings.getMinCheckpointCount(),
  maxCheckpointCount: settings.getMaxCheckpointCount(),
  maxSubscriberCount: settings.getMaxSubscriberCount(),
  liveBufferSize: settings.getLiveBufferSize(),
  readBatchSize: settings.getReadBatchSize(),
  historyBufferSize: settings.getHistoryBufferSize(),
})

const ruleOf = (filter: messages.CreateReq.AllOptions.FilterOptions | undefined): FilterRule | undefined => {
  if (filter === undefined) return undefined
  const byStream = filter.getStreamIdentifier()
  const expression = byStream ?? filter.getEventType()
  if (expression === undefined) throw malformed('a filter names a stream or an event type')
  const context = byStream === undefined ? 'eventtype' : 'streamid'
  const prefixes = expression.getPrefixList()
  return prefixes.length > 0
    ? { context, type: 'prefix', data: prefixes }
    : { context, type: 'regex', data: [expression.getRegex()] }
}

type AllOptions = messages.CreateReq.AllOptions | messages.UpdateReq.AllOptions
type StreamOptions = messages.CreateReq.StreamOptions | messages.UpdateReq.StreamOptions

const startInAll = (all: AllOptions, group: string): number | 'end' => {
  if (all.hasEnd()) return 'end'
  const position = all.getPosition()
  if (position === undefined) return 0
  const [commit, prepare] = [startOf(position.getCommitPosition()), startOf(position.getPreparePosition())]
  if (typeof commit === 'number' && (prepare === 'end' || prepare > commit)) {
    throw failed({ stream: ALL, group }, 'Invalid Start From position: prepare position must be less than or equal to ' +
      'the commit position.')
  }
  return commit
}

const startInStream = (options: StreamOptions): number | 'end' =>
  options.hasEnd() ? 'end' : options.hasRevision() ? startOf(options.getRevision()) : 0

type Options = messages.CreateReq.Options | messages.UpdateReq.Options

const wantedOf = (options: Options | undefined, rule: FilterRule | undefined, strategyName: string): Wanted => {
  const asked = options?.getSettings()
  if (options === undefined || asked === undefined) throw malformed('a group has settings')
  const name = options.getGroupName()
  const [all, stream] = [options.getAll(), options.getStream()]
  const identifier = stream?.getStreamIdentifier() ?? options.getStreamIdentifier()
  const source = all === undefined
    ? sourceOf({ getStreamIdentifier: () => identifier, hasAll: () => false })
    : { stream: undefined, filter: rule }
  const strategy = strategyOf(strategyName, asked.getNamedConsumerStrategy())
  if (!isStrategy(strategy)) {
    throw failed({ stream: nameOf(source), group: name }, `Consumer strategy ${strategy} does not exist.`)
  }
  const settings = settingsOf(asked, strategy)
  if (all !== undefined) return { source, name, settings, startFrom: startInAll(all, name) }
  return { source, name, settings, startFrom: stream === undefined ? startOf(asked.getRevision()) : startInStream(stream) }
}

export const createOf = (request: messages.CreateReq): Wanted => {
  const options = request.getOptions()
  return wantedOf(options, ruleOf(options?.getAll()?.getFilter()), options?.getSettings()?.getConsumerStrategy() ?? '')
}

export const updateOf = (request: messages.UpdateReq): Wanted => wantedOf(request.getOptions(), undefined, '')

/** @returns the revision of the parked stream before which to stop; undefined for none */
export const stopAtOf = (options: messages.ReplayParkedReq.Options | undefined, source: Source): number | undefined => {
  if (options?.hasStopAt() !== true) return undefined
  const stopAt = Number(options.getStopAt())
  if (stopAt >= 0) return stopAt
  const about = { stream: source.stream ?? ALL, group: options.getGroupName() }
  throw failed(about, 'Cannot stop replaying parked message at a negative version.')
}

/** @returns the stream, or `$all`, whose groups are asked for; undefined for all */
export const listedOf = (request: messages.ListReq): string | undefined => {
  const stream = request.getOptions()?.getListForStream()
  if (stream === undefined) return undefined
  return stream.hasAll() ? ALL : streamNameOf(stream.getStream())
}
