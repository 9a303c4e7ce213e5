import { once } from 'node:events'
import { z } from 'zod'
import { placeOf } from '../../../projections/feed-position.ts'
import { cloudEventOf } from '../../../projections/public-events/cloud-event.ts'
import { READ_SCHEMA } from '../../../projections/schema.ts'
import { cursorAsked, subjectsAsked, typesAsked } from '../../../read-api/feed-asked.ts'
import { type FeedEntry, feedEnd, feedPage } from '../../../read-api/feed-page.ts'
import { feedTail } from '../../read-store/feed-tail.ts'
import { onStores } from './stores.ts'
import { type Command, parseOptions, UsageError } from './usage.ts'

const PAGE = 500
const LOOK_EVERY_MS = 5_000

/** An option's value as its schema has it. */
const asked = <T>(name: string, schema: z.ZodType<T>, text: string | undefined): T | undefined => {
  if (text === undefined) return undefined
  const parsed = schema.safeParse(text)
  if (!parsed.success) throw new UsageError(`--${name} wants ${parsed.error.issues[0]?.message ?? 'something else'}`)
  return parsed.data
}

/** One line for people: when, what, of what, the rest of what it says, and whose it is. */
const line = ({ at, type, subject, data, organisation_id: organisation }: FeedEntry): string => {
  const facts = Object.entries({ ...data, organisation })
    .filter(([, value]) => typeof value !== 'string' || !subject.endsWith(`/${value}`))
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  return [at.toISOString(), type.padEnd(38), subject, ...facts].join('  ')
}

/** Until the terminal, or whoever reads, has had enough. */
const interrupted = (): AbortSignal => {
  const ending = new AbortController()
  process.stdout.on('error', () => ending.abort())
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => ending.abort())
  return ending.signal
}

/** Writes no faster than it is taken: the output may be a pipe, and the feed long. */
const print = async (lines: readonly string[], signal: AbortSignal): Promise<void> => {
  if (lines.length === 0 || process.stdout.write(`${lines.join('\n')}\n`)) return
  await once(process.stdout, 'drain', { signal }).catch(() => undefined)
}

/** Shows the feed of all organisations, or follows it. */
export const events: Command = async (args) => {
  const { values } = parseOptions(args, {
    options: {
      state: { type: 'string' },
      follow: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      type: { type: 'string' },
      subject: { type: 'string' },
      organisation: { type: 'string' },
      from: { type: 'string', default: 'start' },
    },
  })
  const filter = {
    organisationId: asked('organisation', z.uuid('the id of an organisation').toLowerCase(), values.organisation),
    types: asked('type', typesAsked, values.type),
    subjects: asked('subject', subjectsAsked, values.subject),
  }
  const from = asked('from', cursorAsked, values.from) ?? 'start'
  const signal = interrupted()
  await onStores(values.state, async ({ db, position, config }) => {
    const read = db.withSchema(READ_SCHEMA)
    const tail = feedTail({ db, position })
    const shown = (entry: FeedEntry): string =>
      values.json ? JSON.stringify(cloudEventOf(entry, config.http.publicUrl)) : line(entry)
    for (let place = from === 'now' ? await feedEnd(read) : (placeOf(from) ?? ''); !signal.aborted; ) {
      const page = await feedPage(read, { ...filter, after: place, limit: PAGE })
      await print(page.entries.map(shown), signal)
      place = page.place
      if (page.more) continue
      if (!values.follow) return
      await tail.wait({ organisationId: filter.organisationId, after: place, withinMs: LOOK_EVERY_MS, signal })
    }
  })
  return 0
}
