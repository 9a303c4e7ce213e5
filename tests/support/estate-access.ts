import { z } from 'zod'
import type { Order } from '../../domain/job/orders.ts'
import type { Inventory } from './estate.ts'

const Database = z.object({ owner: z.string(), mark: z.string(), isOpen: z.boolean() })
const User = z.object({
  mark: z.string(),
  as: z.string().nullable(),
  grants: z.record(z.string(), z.string()),
  logins: z.array(z.string()),
})

/** One of the lists on a node, by name: as text, so that it is a thing like others; no list at all where there is nothing. */
const list = <T>(own: Inventory, kind: string, nodeId: string, item: z.ZodType<T>) => {
  const read = (): Map<string, T> => {
    const text = own.get(kind, nodeId)
    return new Map(text === undefined ? [] : Object.entries(z.record(z.string(), item).parse(JSON.parse(text))))
  }
  const write = (entries: ReadonlyMap<string, T>): void => {
    if (entries.size === 0) own.remove(nodeId, kind)
    else own.set(kind, nodeId, JSON.stringify(Object.fromEntries([...entries].toSorted(([a], [b]) => (a < b ? -1 : 1)))))
  }
  return { read, write }
}

type AccessOrder = Extract<Order, { subject: `cmon.${string}-${'admin' | 'database' | 'user'}` }>

/** What orders about databases and users leave on the node that takes writes. */
export const onAccess = (own: Inventory, { subject, body }: AccessOrder): void => {
  own.needs('account', body.nodeId)
  const databases = list(own, 'databases', body.nodeId, Database)
  const users = list(own, 'users', body.nodeId, User)
  const [there, known] = [databases.read(), users.read()]
  switch (subject) {
    case 'cmon.set-admin':
      return own.set('account', body.nodeId, `${body.username} ${body.vaultId ?? 'as it was made'}`)
    case 'cmon.put-database': {
      const { name, owner, mark } = body.database
      if (typeof owner === 'string' && !known.has(owner)) throw new Error('the database has an owner who is not there')
      if (there.get(name)?.mark !== mark && there.has(name)) throw new Error('the name is taken')
      const before = there.get(name)
      return databases.write(there.set(name, before ?? { owner: JSON.stringify(owner), mark, isOpen: true }))
    }
    case 'cmon.unmake-database': {
      if (there.get(body.database.name)?.mark === body.database.mark) there.delete(body.database.name)
      return databases.write(there)
    }
    case 'cmon.close-database':
    case 'cmon.open-database': {
      const database = there.get(body.name)
      if (database !== undefined) there.set(body.name, { ...database, isOpen: subject === 'cmon.open-database' })
      return databases.write(there)
    }
    case 'cmon.drop-database': {
      if (there.get(body.name)?.isOpen === true) throw new Error('the database is not closed')
      there.delete(body.name)
      for (const user of known.values()) delete user.grants[body.name]
      users.write(known)
      return databases.write(there)
    }
    case 'cmon.put-user': {
      const { name, as, grants, logins, mark } = body.user
      if (known.has(name) && known.get(name)?.mark !== mark) throw new Error('the name is taken')
      const granted = Object.fromEntries(
        grants.map(({ database, privilege }) => [database, privilege] as const).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      )
      return users.write(known.set(name, { mark, as, grants: granted, logins: logins.map((login) => JSON.stringify(login)) }))
    }
    case 'cmon.unmake-user': {
      if (known.get(body.user.name)?.mark === body.user.mark) known.delete(body.user.name)
      return users.write(known)
    }
    case 'cmon.drop-user': {
      for (const name of body.logins) known.delete(name)
      const heir = JSON.stringify({ administrator: body.heir })
      for (const [name, database] of there) {
        if (body.logins.some((one) => database.owner === JSON.stringify(one))) there.set(name, { ...database, owner: heir })
      }
      users.write(known)
      return databases.write(there)
    }
  }
}
