import { createInterface } from 'node:readline/promises'
import { parsePosition } from '../../../domain/kernel/event-store.ts'
import { sortablePosition } from '../../../projections/positions.ts'
import { shortName } from '../../../read-api/history/chronicle.ts'
import { placeAt } from '../../../read-api/history/events.ts'
import { pastInstant, type PastInstant } from '../../../read-api/history/instant.ts'
import type { HistoryReply } from '../../../read-api/history/replies.ts'
import { actorText, onHistory, printable, sinceText, valueText } from './histories.ts'
import { type Command, parseOptions, UsageError } from './usage.ts'

type Told = HistoryReply['events'][number]

const PAGE = 100
const CHANGES_SHOWN = 30
/** They change with every event, or say what another field says. */
const NOISE = new Set(['updated_at', 'current_job'])

/** What happened in one event: when, what, by whom, and what it changed. */
export const eventLines = ({ at, what, actor, changes }: Told, beginning: string): readonly string[] => {
  const telling = changes.filter(({ field, from, to }) => !NOISE.has(field) && !(from === null && to === null))
  const width = Math.max(0, ...telling.map(({ field }) => field.length))
  const lines = telling
    .slice(0, CHANGES_SHOWN)
    .map(({ field, from, to }) => `                  ${printable(field).padEnd(width)}  ${valueText(from)} → ${valueText(to)}`)
  const more = telling.length - lines.length
  return [
    `${sinceText(beginning, at)}  ${printable(what)}${actor.kind === 'system' ? '' : `, by ${actorText(actor)}`}`,
    ...lines,
    ...(more > 0 ? [`                  … and ${more} more`] : []),
  ]
}

const instantOption = (name: string, text: string | undefined): PastInstant | undefined => {
  if (text === undefined) return undefined
  const instant = pastInstant.safeParse(text)
  if (instant.success) return instant.data
  throw new UsageError(`--${name} ${instant.error.issues[0]?.message ?? 'is no instant'}`)
}

/** Waits for Enter; whether to go on. */
const enter = async (): Promise<boolean> => {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    const answer = terminal.question('')
    const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('q')))
    return (await Promise.race([answer, closed])) !== 'q'
  } finally {
    terminal.close()
  }
}

/** Steps through the history of a datastore, oldest event first. */
export const replay: Command = async (args) => {
  const { values, positionals } = parseOptions(args, {
    options: {
      state: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      step: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  })
  const [text, ...rest] = positionals
  if (text === undefined || rest.length > 0) throw new UsageError('replay wants: DATASTORE')
  if (values.step && !process.stdin.isTTY) throw new UsageError('--step wants a terminal to wait for Enter on')
  const [from, to] = [instantOption('from', values.from), instantOption('to', values.to)]
  await onHistory(values.state, text, async (told, of, audit) => {
    const placeOf = (instant: PastInstant) => placeAt(audit, of.datastoreId, instant)
    const upTo = to === undefined ? undefined : await placeOf(to)
    for (let after: string | undefined = from === undefined ? '' : await placeOf(from); after !== undefined; ) {
      const { events, next } = await told.page(of, { after, upTo, limit: PAGE })
      for (const event of events) {
        const changes = event.changes.map((change) => ({ ...change, field: shortName(of, change.field) }))
        for (const line of eventLines({ ...event, changes }, of.beginning.recordedAt)) console.log(line)
        if (values.step && !(await enter())) return
      }
      const position = parsePosition(next ?? '')
      after = position && sortablePosition(position)
    }
  })
  return 0
}
