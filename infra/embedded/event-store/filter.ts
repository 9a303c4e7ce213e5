import streams from '@eventstore/db-client/generated/streams_pb.js'
import type { LogRecord } from './record.ts'
import { malformed } from './refusal.ts'

/** Which events of `$all` are wanted, and after how many considered ones the reader is told how far it has come. */
export type Filter = {
  readonly accepts: (record: LogRecord) => boolean
  readonly checkpointEvery: number
}

/** The search window of a filter that names none. */
const DEFAULT_WINDOW = 32

const matcher = (expression: streams.ReadReq.Options.FilterOptions.Expression): ((text: string) => boolean) => {
  const prefixes = expression.getPrefixList()
  if (prefixes.length > 0) return (text) => prefixes.some((prefix) => text.startsWith(prefix))
  const source = expression.getRegex()
  try {
    const regex = new RegExp(source, 'u')
    return (text) => regex.test(text)
  } catch {
    throw malformed(`'${source}' is not a regular expression`)
  }
}

/**
 * Reads the filter of a request.
 *
 * @throws Refusal when it filters on neither streams nor types
 */
export const filterOf = (options: streams.ReadReq.Options): Filter | undefined => {
  const filter = options.getFilter()
  if (filter === undefined) return undefined
  const window = filter.hasMax() ? filter.getMax() : DEFAULT_WINDOW
  const checkpointEvery = Math.max(1, window) * Math.max(1, filter.getCheckpointintervalmultiplier())
  const byStream = filter.getStreamIdentifier()
  const byType = filter.getEventType()
  if (byStream !== undefined) {
    const matches = matcher(byStream)
    return { checkpointEvery, accepts: ({ stream }) => matches(stream) }
  }
  if (byType !== undefined) {
    const matches = matcher(byType)
    return { checkpointEvery, accepts: ({ type }) => matches(type) }
  }
  throw malformed('a filter names a stream or an event type')
}
