import type { Service } from '../grpc-service.ts'
import type { Log } from '../log.ts'
import type { Storage } from '../storage.ts'
import { type Access, userAccess } from './index.ts'
import { type NewUser, usersOf } from './users.ts'
import { usersService } from './users-service.ts'

/** The same storage, which tells of every stream of the system that was written, once that is durable. */
export const watched = (
  storage: Storage,
): { readonly storage: Storage; readonly onWritten: (listen: (stream: string) => void) => void } => {
  const listeners: ((stream: string) => void)[] = []
  return {
    storage: {
      ...storage,
      insert: async (records) => {
        await storage.insert(records)
        for (const { stream } of records) if (stream.startsWith('$')) for (const listen of listeners) listen(stream)
      },
    },
    onWritten: (listen) => void listeners.push(listen),
  }
}

/**
 * Users in front of a log.
 *
 * @param options.firstUsers made if they are not there yet
 * @param options.onWritten tells of written streams, of all that may change who may do what
 */
export const secured = async ({ log, firstUsers, onWritten }: {
  readonly log: Log
  readonly firstUsers: readonly NewUser[]
  readonly onWritten: (listen: (stream: string) => void) => void
}): Promise<{ readonly access: Access; readonly services: readonly Service[] }> => {
  const users = usersOf(log)
  const access = userAccess({ log, users })
  onWritten(access.written)
  for (const user of firstUsers) await users.create(user)
  return { access, services: [usersService(users, access.principalOf)] }
}
