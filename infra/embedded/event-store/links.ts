import type { LogRecord } from './record.ts'
import type { StreamReader } from './stream-reader.ts'

/** An event that stands for another one: its data is `revision@stream`. */
const LINK_TYPE = '$>'

/** What is read: an event, or a link with the event it stands for, if that can be read. */
export type Resolved = { readonly event: LogRecord | undefined; readonly link: LogRecord | undefined }

const REVISION = /^\s*([+-]?\d+)\s*$/

/**
 * Whether resolving changes anything. As on the real server, a link whose data does not begin with a number is an event
 * like any other.
 */
export const isLink = ({ type, data }: LogRecord): boolean =>
  type === LINK_TYPE && REVISION.test(data.toString().split('@', 1)[0] ?? '')

/**
 * Follows a link, one step. The event is missing when it never was, is truncated, too old or deleted.
 *
 * @param link one of which `isLink` holds
 */
export const resolved = async ({ readStream }: Pick<StreamReader, 'readStream'>, link: LogRecord): Promise<Resolved> => {
  const text = link.data.toString()
  const at = text.indexOf('@')
  const from = Number.parseInt(text, 10)
  if (at === -1 || at === text.length - 1 || from < 0) return { event: undefined, link }
  const page = await readStream(text.slice(at + 1), { from, max: 1, backward: false })
  const event = page.outcome === 'page' ? page.events.find(({ revision }) => revision === from) : undefined
  return { event, link }
}
