import type { WhyReply } from '../../../read-api/history/replies.ts'
import { actorText, onHistory, printable, sinceText, valueText } from './histories.ts'
import { type Command, parseOptions, UsageError } from './usage.ts'

type Field = WhyReply['fields'][number]

/** A field with all that led to it. */
const atLength = ({ field, value, set_by: by, request, job, chain }: Field): readonly string[] => {
  const step = job?.step ?? null
  const through = step === null ? '' : `, step “${step.title}”${step.node === null ? '' : ` on ${step.node}`}, attempt ${step.attempt}`
  return [
    `${printable(field)} = ${valueText(value)}`,
    `  set by   ${by.type} ${by.id}, ${by.at}, at ${by.position}`,
    `  asked    by ${actorText(request.actor)} with ${request.command ?? 'no command'}` +
      `${request.request_id === null ? '' : `, request ${printable(request.request_id)}`}`,
    ...(job === null ? [] : [`  through  job ${job.job_id}${job.kind === null ? '' : ` (${job.kind})`}${printable(through)}`]),
    '  so',
    ...chain.flatMap((link) => {
      const since = sinceText(request.at, link.at)
      if (!('type' in link)) return [`    ${since}  ${request.command ?? 'It'} was asked for`]
      const order = link.order === undefined ? '' : ` (${link.order.subject}${link.order.id === null ? '' : `, order ${link.order.id}`})`
      return [`    ${since}  ${printable(link.what)}${order}`]
    }),
  ]
}

/** Every field in a line. */
const inShort = (fields: readonly Field[]): readonly string[] => {
  const width = Math.max(...fields.map(({ field }) => field.length))
  return fields.map(
    ({ field, value, set_by: by, request, job }) =>
      `${printable(field).padEnd(width)}  ${valueText(value)}  ← ${by.type} ${by.at}, ${actorText(request.actor)}` +
      `${job?.step == null ? '' : printable(`, “${job.step.title}”`)}`,
  )
}

/** What `ccx why` prints. */
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
    for (const line of whyLines(await told.why(of, field), field !== undefined)) console.log(line)
  })
  return 0
}
