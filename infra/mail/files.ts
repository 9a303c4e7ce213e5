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
 * the mails. Each organisation has a folder of its own; each mail is named by its id, so one that is sent again takes its
 * own place.
 *
 * @param options.dir made when needed, for its owner alone
 */
export const fileMailer = ({ dir, from }: { readonly dir: string; readonly from: From }): Mailer => ({
  send: async (mail, putAt) => {
    const own = join(dir, mail.ownerId)
    const beside = join(own, `.${randomUUID()}`)
    try {
      if (!MAIL_ID.test(mail.mailId) || !MAIL_ID.test(mail.ownerId)) throw new Error('BUG: an id is no name of a file')
      const message = await composed(mail, { from, putAt })
      await mkdir(own, { recursive: true, mode: 0o700 })
      const file = await open(beside, 'wx', 0o600)
      await file.writeFile(message)
      await file.sync()
      await file.close()
      await rename(beside, join(own, `${mail.mailId}${SUFFIX}`))
      return { sent: true }
    } catch (error) {
      await rm(beside, { force: true }).catch(() => undefined)
      return { sent: false, because: `the mail could not be written (${codeOf(error)})`, forGood: false }
    }
  },
  close: () => undefined,
})

type Filed = { readonly mailId: string; readonly path: string; readonly at: Date }

/** The mails of such a folder, newest first. */
export const filedMails = async (dir: string): Promise<readonly Filed[]> => {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  })
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith(SUFFIX) && !entry.name.startsWith('.'))
  const found = await Promise.all(
    files.map(async ({ name, parentPath }) => {
      const path = join(parentPath, name)
      return { mailId: name.slice(0, -SUFFIX.length), path, at: (await stat(path)).mtime }
    }),
  )
  return found.toSorted((a, b) => b.at.getTime() - a.at.getTime())
}

/** One of them as it was written; undefined when there is none with that id. */
export const filedMail = async (dir: string, mailId: string): Promise<string | undefined> => {
  const found = (await filedMails(dir)).find((mail) => mail.mailId === mailId)
  return found === undefined ? undefined : readFile(found.path, 'utf8')
}

/** Removes all that was filed for an organisation. */
export const removeFiled = (dir: string, ownerId: string): Promise<void> =>
  rm(join(dir, ownerId), { recursive: true, force: true })
