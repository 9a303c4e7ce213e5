import { shortName } from '../../../read-api/history/chronicle.ts'
import type { WhyReply } from '../../../read-api/history/replies.ts'
import { actorText, onHistory, printable, sinceText, valueText } from './histories.ts'
import { type Command, parseOptions, UsageError } from './usage.ts'

type Field = WhyReply['fields'][number]

/** A field with all that led to it. */
const atLength = ({ field, value, set_by: by, request, job, chain }: Field): readonly string[] => {
  const step = job?.step ?? null
  const node = step?.node == null ? '' : ` on ${step.node}`
  const through = step === null ? '' : `, step “${step.title}”${node}, attempt ${step.attempt}`
  return [
    `${printable(field)} = ${valueText(value)}`,
    `  set by   ${by.type} ${by.id}, ${by.at}, at ${by.position}`,
    `  asked    by ${actorText(request.actor)} with ${request.command ?? 'no command'}` +
      (request.request_id === null ? '' : `, request ${printable(request.request_id)}`),
    ...(job === null ? [] : [`  through  job ${job.job_id}${job.kind === null ? '' : ` (${job.kind})`}${printable(through)}`]),
    '  so',
    ...chain.flatMap((link) => {
      const since = sinceText(request.at, link.at)
      if (!('type' in link)) return [`    ${since}  ${request.command ?? 'It'} was asked for`]
      const { order } = link
      const orderId = order?.id == null ? '' : `, order ${order.id}`
      return [`    ${since}  ${printable(link.what)}${order === undefined ? '' : ` (${order.subject}${orderId})`}`]
    }),
  ]
}

/** Every field in a line, below the event that set it. */
const inShort = (fields: readonly Field[]): readonly string[] => {
  const oldestFirst = fields.toSorted((a, b) => (a.set_by.at < b.set_by.at ? -1 : Number(a.set_by.at > b.set_by.at)))
  const setters = Map.groupBy(oldestFirst, ({ set_by: by }) => by.id)
  const width = Math.max(...fields.map(({ field }) => field.length))
  return [...setters.values()].flatMap((set) =>
    set.flatMap(({ field, value, set_by: by, request }, n) => [
      ...(n === 0 ? [`${by.at}  ${printable(by.what)}; asked for by ${actorText(request.actor)}`] : []),
      `    ${printable(field).padEnd(width)}  ${valueText(value)}`,
    ]),
  )
}

/**
 * What `ccx why` prints.
 *
 * @param isNamed whether a field was named: then all that led to it is told
 */
export const whyLines = ({ fields }: WhyReply, isNamed: boolean): readonly string[] =>
  isNamed ? fields.flatMap(atLength) : inShort(fields)

/** Says which event set what a datastore shows, on whose request, and through which steps. */
export const why: Command = async (args) => {
  const { values, positionals } = parseOptions(args, {
    options: { state: { type: 'string' } },
    allowPositionals: true,
  })
  const [text, field, ...rest] = positionals
  if (text === undefined || rest.length > 0) throw new UsageError('why wants: DATASTORE, and perhaps a FIELD')
  await onHistory(values.state, text, async (told, of) => {
    const { uuid, fields } = await told.why(of, field)
    const short = fields.map((one) => ({ ...one, field: shortName(of, one.field) }))
    for (const line of whyLines({ uuid, fields: short }, field !== undefined)) console.log(line)
  })
  return 0
}
