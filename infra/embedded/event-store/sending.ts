import { eventBytes } from './encode.ts'
import { isLink, resolved } from './links.ts'
import type { Log } from './log.ts'
import type { Outlet } from './outlet.ts'
import type { ReadRequest } from './read-request.ts'
import type { LogRecord } from './record.ts'

/**
 * How the events of a read are sent: as they are, at once; or links with what they stand for, which has to be looked up.
 *
 * @returns a promise only when the next event is to wait
 */
export const sending = (
  log: Pick<Log, 'readStream'>,
  { uuids, resolvesLinks }: ReadRequest,
  to: Outlet,
): ((record: LogRecord) => Promise<void> | undefined) => {
  const follow = async (link: LogRecord): Promise<void> => to.send(eventBytes(await resolved(log, link), uuids))
  return (record) => {
    if (resolvesLinks && isLink(record)) return follow(record)
    to.send(eventBytes({ event: record }, uuids))
    return undefined
  }
}
