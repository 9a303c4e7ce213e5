import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { hashPassword } from '../../../auth/password-hash.ts'
import type { Log } from '../log.ts'
import type { Proposed } from '../record.ts'
import type { StreamPage } from '../stream-reader.ts'

/** A user as its stream keeps it. `hash` is in PHC format; the password itself is nowhere. */
const UserData = z.object({
  loginName: z.string(),
  fullName: z.string(),
  groups: z.array(z.string()),
  hash: z.string(),
  disabled: z.boolean(),
})
export type User = Readonly<z.infer<typeof UserData>> & {
  /** 100 ns ticks since 1970, as text. */
  readonly updatedTicks: string
}

export type NewUser = {
  readonly login: string
  readonly fullName: string
  readonly groups: readonly string[]
  readonly password: string
}

/** The users of the store. Changes are made one after the other. */
export type Users = {
  readonly find: (login: string) => Promise<User | undefined>
  readonly list: () => Promise<readonly User[]>
  readonly create: (user: NewUser) => Promise<'created' | 'exists'>
  readonly change: (login: string, change: UserChange) => Promise<'changed' | 'absent'>
  readonly remove: (login: string) => Promise<'removed' | 'absent'>
}

export type UserChange = {
  readonly fullName?: string
  readonly groups?: readonly string[]
  readonly disabled?: boolean
  readonly password?: string
}

const PREFIX = '$user-'
const ALL_USERS = '$users'

/** Whose stream this is. */
export const loginOf = (stream: string): string | undefined =>
  stream.startsWith(PREFIX) ? stream.slice(PREFIX.length) : undefined

const NOTHING = Buffer.alloc(0)

const proposed = (type: string, data: unknown): Proposed => ({
  id: randomUUID(),
  type,
  contentType: 'application/json',
  data: Buffer.from(JSON.stringify(data)),
  metadata: NOTHING,
})

const parsed = (data: Buffer): z.infer<typeof UserData> | undefined => {
  try {
    return UserData.parse(JSON.parse(data.toString('utf8')))
  } catch {
    // Whatever an administrator has written there by hand, it is no user.
    return undefined
  }
}

const oneAfterTheOther = () => {
  let last: Promise<unknown> = Promise.resolve()
  return <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work, work)
    last = done.catch(() => undefined)
    return done
  }
}

/**
 * The users, each kept in a stream of its own (`$user-<login>`, last event) and named in `$users`, as EventStoreDB does.
 *
 * @param log where they are kept
 */
export const usersOf = (log: Pick<Log, 'append' | 'remove' | 'readStream'>): Users => {
  const inTurn = oneAfterTheOther()
  const streamOf = (login: string): string => `${PREFIX}${login}`

  const find = async (login: string): Promise<User | undefined> => {
    const page = await log.readStream(streamOf(login), { from: Number.MAX_SAFE_INTEGER, max: 1, backward: true })
    const last = page.outcome === 'page' ? page.events[0] : undefined
    const data = last === undefined ? undefined : parsed(last.data)
    return last === undefined || data === undefined ? undefined : { ...data, updatedTicks: last.createdTicks }
  }
  const write = async (type: string, user: z.infer<typeof UserData>): Promise<void> => {
    await log.append(streamOf(user.loginName), 'any', [proposed(type, UserData.parse(user))])
  }
  return {
    find,
    list: async () => {
      const logins = new Set<string>()
      for (let from: number | undefined = 0; from !== undefined; ) {
        const page: StreamPage = await log.readStream(ALL_USERS, { from, max: 500, backward: false })
        if (page.outcome !== 'page') break
        for (const { data } of page.events) logins.add(z.string().catch('').parse(JSON.parse(data.toString('utf8'))))
        from = page.next
      }
      const found = await Promise.all([...logins].map(find))
      return found.filter((it) => it !== undefined)
    },
    create: ({ login, fullName, groups, password }) =>
      inTurn(async () => {
        if ((await find(login)) !== undefined) return 'exists'
        await log.append(ALL_USERS, 'any', [proposed('$User', login)])
        const hash = await hashPassword(password)
        await write('$UserCreated', { loginName: login, fullName, groups: [...groups], hash, disabled: false })
        return 'created'
      }),
    change: (login, { password, groups, ...rest }) =>
      inTurn(async () => {
        const user = await find(login)
        if (user === undefined) return 'absent'
        const hash = password === undefined ? user.hash : await hashPassword(password)
        await write('$UserUpdated', { ...user, ...rest, groups: [...(groups ?? user.groups)], hash })
        return 'changed'
      }),
    remove: (login) =>
      inTurn(async () => {
        if ((await find(login)) === undefined) return 'absent'
        await log.remove(streamOf(login), 'any')
        return 'removed'
      }),
  }
}
