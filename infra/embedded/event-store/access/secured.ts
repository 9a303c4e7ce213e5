import { randomUUID } from 'node:crypto'
import type { Log } from '../log.ts'
import type { Service } from '../grpc-service.ts'
import { JSON_CONTENT, METADATA_TYPE, metadataIn, metadataStreamOf, type StreamMetadata } from '../stream-metadata.ts'
import { type Access, userAccess } from './index.ts'
import { type NewUser, usersOf } from './users.ts'
import { usersService } from './users-service.ts'

/** The same log; appends to streams of the system are told of once they are durable. */
const watched = (log: Log) => {
  const listeners: ((stream: string) => void)[] = []
  const append: Log['append'] = async (stream, ...rest) => {
    const appended = await log.append(stream, ...rest)
    for (const listen of listeners) listen(stream)
    return appended
  }
  return {
    log: { ...log, append: ((stream, ...rest) => (stream.startsWith('$') ? append : log.append)(stream, ...rest)) } satisfies Log,
    onAppended: (listen: (stream: string) => void): void => void listeners.push(listen),
  }
}

/** Beyond every revision: the stream reads as if it had never been. */
const SOFT_DELETION = Buffer.from(`{"$tb":${2n ** 63n - 1n}}`)

/**
 * A log with users in front of it.
 *
 * @param firstUsers made if they are not there yet
 */
export const secured = async (
  unwatched: Log,
  firstUsers: readonly NewUser[],
): Promise<{ readonly log: Log; readonly access: Access; readonly services: readonly Service[] }> => {
  const { log, onAppended } = watched(unwatched)
  const metadataOf = async (stream: string): Promise<StreamMetadata> => {
    const [last] = await log.storage.scanStream(metadataStreamOf(stream), Number.MAX_SAFE_INTEGER, 1, true)
    return metadataIn(last)
  }
  const users = usersOf({
    append: log.append,
    storage: log.storage,
    isTruncated: async (stream, revision) => {
      const { truncateBefore = 0 } = await metadataOf(stream)
      return truncateBefore === 'deleted' || revision < truncateBefore
    },
    softDelete: async (stream) => {
      const deletion = { id: randomUUID(), type: METADATA_TYPE, contentType: JSON_CONTENT, data: SOFT_DELETION }
      await log.append(metadataStreamOf(stream), 'any', [{ ...deletion, metadata: Buffer.alloc(0) }])
    },
  })
  const access = userAccess({ log, users, metadataOf })
  onAppended(access.onWritten)
  for (const user of firstUsers) await users.create(user)
  return { log, access, services: [usersService(users, access.principalOf)] }
}
