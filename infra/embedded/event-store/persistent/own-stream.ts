import { randomUUID } from 'node:crypto'
import type { Log } from '../log.ts'
import type { LogRecord } from '../record.ts'
import { JSON_CONTENT, METADATA_TYPE, metadataStreamOf } from '../stream-metadata.ts'

const ADMINS_ONLY = { $r: '$admins', $w: '$admins', $d: '$admins', $mr: '$admins', $mw: '$admins' }

/** A stream that the server itself writes, with all that is in it ordinary events. */
export type OwnStream = {
  readonly name: string
  /** @returns the event's revision, once it is durable. @throws when the log has failed */
  readonly append: (event: {
    readonly type: string
    readonly contentType: string
    readonly data: string
    readonly metadata?: string
  }) => Promise<number>
  /** The newest event; undefined when there is none, or none that counts any more. */
  readonly last: () => Promise<LogRecord | undefined>
  /** Says in the stream's metadata how many events, or which, are to be kept. Only administrators may read them. */
  readonly keep: (what: { readonly $maxCount: number } | { readonly $tb: number }) => Promise<void>
  /** Deletes it, until it is written again. */
  readonly remove: () => Promise<void>
}

export const ownStream = (log: Log, name: string): OwnStream => {
  const write = async (stream: string, event: Parameters<OwnStream['append']>[0]): Promise<number> => {
    const { type, contentType, data, metadata = '' } = event
    const appended = await log.append(stream, 'any', [
      { id: randomUUID(), type, contentType, data: Buffer.from(data), metadata: Buffer.from(metadata) },
    ])
    if (appended.outcome !== 'written') throw new Error(`stream ${stream} cannot be written`)
    return appended.revision
  }
  return {
    name,
    append: (event) => write(name, event),
    last: async () => {
      const page = await log.readStream(name, { from: Number.MAX_SAFE_INTEGER, max: 1, backward: true })
      return page.outcome === 'page' ? page.events[0] : undefined
    },
    remove: async () => void (await log.remove(name, 'any')),
    keep: async (what) => {
      const data = JSON.stringify({ ...what, $acl: ADMINS_ONLY })
      await write(metadataStreamOf(name), { type: METADATA_TYPE, contentType: JSON_CONTENT, data })
    },
  }
}
