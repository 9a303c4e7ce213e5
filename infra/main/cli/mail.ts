import type { PersonalData } from '../../../domain/kernel/sealed.ts'
import { filedMail, filedMails } from '../../mail/files.ts'
import { composed, readable } from '../../mail/mailer.ts'
import type { MailDb } from '../../mail/migrations.ts'
import { type Listed, listMails, mailDb, retryMail } from '../../mail/outbox.ts'
import { onStores } from './stores.ts'
import { type Command, parseOptions, UsageError } from './usage.ts'

const SHOWN_MAX = 200

/** What a stranger wrote must not tell a terminal what to do. */
const printable = (text: string): string => text.replaceAll(/[\p{C}]/gu, (char) => (char === '\n' ? char : '?'))

const told = ({ row, mail }: Listed): readonly string[] => [
  `${row.mail_id}  ${row.state}  put ${row.put_at.toISOString()}  attempts ${row.attempts}`,
  `    ${printable(mail?.subject ?? '[erased]')}`,
  ...(row.because === null ? [] : [`    because: ${row.because}`]),
  ...(row.state === 'waiting' && row.attempts > 0 ? [`    again at ${row.next_attempt_at.toISOString()}`] : []),
]

export type Mails = {
  readonly db: MailDb
  readonly personal: Pick<PersonalData, 'open'>
  readonly now: () => string
  readonly from: string
  /** Where mails are files; undefined where they go to a server. */
  readonly dir: string | undefined
}

const list = async ({ db, personal, dir }: Mails): Promise<readonly string[]> => {
  const unsent = await listMails(db, personal, { limit: SHOWN_MAX })
  const filed = dir === undefined ? [] : (await filedMails(dir)).slice(0, SHOWN_MAX)
  return [
    ...(unsent.length === 0 ? ['No mail waits, and none was given up.'] : unsent.flatMap(told)),
    ...filed.map(({ mailId, at }) => `${mailId}  sent ${at.toISOString()}`),
  ]
}

const show = async ({ db, personal, dir, from }: Mails, asked: string | undefined): Promise<readonly string[]> => {
  const newest = dir === undefined ? undefined : (await filedMails(dir))[0]?.mailId
  const mailId = asked ?? newest
  if (mailId === undefined) throw new Error('there is no mail to show')
  const filed = dir === undefined ? undefined : await filedMail(dir, mailId)
  if (filed !== undefined) return [printable(readable(filed))]
  const [waiting] = await listMails(db, personal, { limit: 1, mailId })
  if (waiting?.mail === undefined) {
    throw new Error(`there is no mail ${printable(mailId)} that can be read; what a server took is forgotten`)
  }
  const message = await composed(waiting.mail, { from, putAt: waiting.row.put_at })
  return [printable(readable(message.toString()))]
}

/**
 * Carries the command out.
 *
 * @returns the lines to print
 * @throws UsageError for any other words; an error when there is no such mail
 */
export const onMails = async (mails: Mails, [verb, mailId, ...rest]: readonly string[]): Promise<readonly string[]> => {
  if (verb === 'list' && mailId === undefined) return list(mails)
  if (verb === 'show' && rest.length === 0) return show(mails, mailId)
  if (verb !== 'retry' || mailId === undefined || rest.length > 0) {
    throw new UsageError('mail wants: list, show [ID], or retry ID')
  }
  if (!(await retryMail(mails.db, mailId, new Date(mails.now())))) {
    throw new Error(`there is no mail ${printable(mailId)} that is not sent`)
  }
  return [`${mailId} is tried again at once.`]
}

/** Shows the mails that are not sent, reads one, and tries one again. */
export const mail: Command = async (args) => {
  const { values, positionals } = parseOptions(args, {
    options: { state: { type: 'string' } },
    allowPositionals: true,
  })
  await onStores(values.state, async ({ config, pool, personal, now }) => {
    const { from, dir, smtpUrl } = config.mail
    const files = smtpUrl === undefined ? dir : undefined
    const lines = await onMails({ db: await mailDb(pool), personal, now, from, dir: files }, positionals)
    for (const line of lines) console.log(line)
  })
  return 0
}
