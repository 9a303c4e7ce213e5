import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { composed, type From, type Mailer } from './mailer.ts'

const SUFFIX = '.eml'
const MAIL_ID = /^[0-9A-Za-z-]{1,64}$/

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown'

/**
 * Mails as files of a folder, where there is no mail server: for one machine, on which whoever may read the folder may read
 * the mails. Each is named by its id, so one that is sent again takes its own place.
 *
 * @param options.dir made when needed, for its owner alone
 */
export const fileMailer = ({ dir, from }: { readonly dir: string; readonly from: From }): Mailer => ({
  send: async (mail, putAt) => {
    const beside = join(dir, `.${randomUUID()}`)
    try {
      if (!MAIL_ID.test(mail.mailId)) throw new Error('BUG: a mail id is no name of a file')
      const message = await composed(mail, { from, putAt })
      await mkdir(dir, { recursive: true, mode: 0o700 })
      const file = await open(beside, 'wx', 0o600)
      await file.writeFile(message)
      await file.sync()
      await file.close()
      await rename(beside, join(dir, `${mail.mailId}${SUFFIX}`))
      return { sent: true }
    } catch (error) {
      await rm(beside, { force: true }).catch(() => undefined)
      return { sent: false, because: `the mail could not be written (${codeOf(error)})`, forGood: false }
    }
  },
  close: () => undefined,
})

/** The mails of such a folder, newest first. */
export const filedMails = async (dir: string): Promise<readonly { readonly mailId: string; readonly at: Date }[]> => {
  const names = await readdir(dir).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  })
  const files = names.filter((name) => name.endsWith(SUFFIX) && !name.startsWith('.'))
  const found = await Promise.all(
    files.map(async (name) => ({ mailId: name.slice(0, -SUFFIX.length), at: (await stat(join(dir, name))).mtime })),
  )
  return found.toSorted((a, b) => b.at.getTime() - a.at.getTime())
}

/** One of them as it was written; undefined when there is none with that id. */
export const filedMail = async (dir: string, mailId: string): Promise<string | undefined> => {
  if (!MAIL_ID.test(mailId)) return undefined
  try {
    return await readFile(join(dir, `${mailId}${SUFFIX}`), 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
