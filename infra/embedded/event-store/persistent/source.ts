import { z } from 'zod'
import type { LogRecord } from '../record.ts'
import { malformed } from '../refusal.ts'

/** Which events of `$all` a group is for. */
export const FilterRule = z.object({
  context: z.enum(['streamid', 'eventtype']),
  type: z.enum(['prefix', 'regex']),
  data: z.array(z.string()),
})
export type FilterRule = z.infer<typeof FilterRule>

/** What a group reads: a stream, or `$all` and what of it. */
export type Source =
  | { readonly stream: string }
  | { readonly stream: undefined; readonly filter: FilterRule | undefined }

export const ALL = '$all'

export const nameOf = ({ stream }: Source): string => stream ?? ALL

/** @returns what an event's order in the source goes by: its revision, or its position in `$all` */
export const placeIn = ({ stream }: Source, { revision, position }: LogRecord): number =>
  stream === undefined ? position : revision

/** A place as clients and checkpoints have it; -1 stands for the end. */
export const placeText = ({ stream }: Source, place: number): string =>
  stream === undefined ? `C:${place}/P:${place}` : `${place}`

/** @returns the place that `placeText` wrote; undefined when it is none */
export const placeFrom = ({ stream }: Source, text: string): number | undefined => {
  const digits = stream === undefined ? /^C:(\d+)\/P:\d+$/.exec(text)?.[1] : /^\d+$/.exec(text)?.[0]
  return digits === undefined ? undefined : Number(digits)
}

const OF_ALL = /^\$persistentsubscription-\$all::.*-(checkpoint|parked)$/s

/** Whether an event is a group's own note on its reading of `$all`: groups that read `$all` do not see these. */
export const isNoteOnAll = ({ stream }: LogRecord): boolean => OF_ALL.test(stream)

/** @throws Refusal when the rule holds a pattern that is none */
export const accepting = (rule: FilterRule | undefined): ((record: LogRecord) => boolean) => {
  if (rule === undefined) return () => true
  const subject = rule.context === 'streamid' ? (it: LogRecord) => it.stream : (it: LogRecord) => it.type
  if (rule.type === 'prefix') return (record) => rule.data.some((prefix) => subject(record).startsWith(prefix))
  const [pattern = ''] = rule.data
  try {
    const regex = new RegExp(pattern, 'u')
    return (record) => regex.test(subject(record))
  } catch {
    throw malformed(`'${pattern}' is not a regular expression`)
  }
}
