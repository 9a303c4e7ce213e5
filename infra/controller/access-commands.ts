import type { ClusterRef, Order, UserRef } from '../../domain/job/orders.ts'
import { ERASED, type PersonalData } from '../../domain/kernel/sealed.ts'
import type { MadeUser } from '../engines/engine.ts'
import { Failure, type Work } from '../messaging/worker.ts'
import type { Credentials } from './credentials.ts'
import type { Nodes } from './nodes.ts'

const SUBJECTS = [
  'cmon.create-account', 'cmon.set-admin',
  'cmon.put-database', 'cmon.unmake-database', 'cmon.close-database', 'cmon.open-database', 'cmon.drop-database',
  'cmon.put-user', 'cmon.unmake-user', 'cmon.drop-user',
] as const

/** Orders about databases and users, on the node that takes writes. */
export type AccessOrder = Extract<Order, { subject: (typeof SUBJECTS)[number] }>

export const isAccessOrder = (order: Order): order is AccessOrder => SUBJECTS.some((subject) => subject === order.subject)

export type AccessParts = {
  readonly nodes: Nodes
  readonly credentials: Credentials
  readonly personal: Pick<PersonalData, 'open'>
}

/** Names come sealed and are opened here, passwords come from the vault; both for the time of one verb. */
export const accessCommand = async (parts: AccessParts, { subject, body }: AccessOrder, work: Work): Promise<void> => {
  const { nodes } = parts
  const { cluster, nodeId } = body
  const engine = nodes.engine(cluster)
  const node = await nodes.reach(cluster, nodeId, work)
  const opened = (...texts: readonly string[]) => openedBy(parts, texts)
  switch (subject) {
    case 'cmon.create-account': {
      const { username, database, vaultId = null } = body
      const password = await parts.credentials.adminPassword(cluster, vaultId)
      return engine.createAccount(node, { username, password, database })
    }
    case 'cmon.set-admin': {
      const { username, vaultId } = body
      return engine.setPassword(node, { username, password: await parts.credentials.adminPassword(cluster, vaultId) })
    }
    case 'cmon.put-database':
    case 'cmon.unmake-database': {
      const { name, owner: belongsTo, mark } = body.database
      const [plain = '', owner = ''] =
        typeof belongsTo === 'string' ? await opened(name, belongsTo) : [...(await opened(name)), belongsTo.administrator]
      const database = { name: plain, owner, mark }
      return subject === 'cmon.put-database' ? engine.putDatabase(node, database) : engine.unmakeDatabase(node, database)
    }
    case 'cmon.close-database':
    case 'cmon.open-database':
    case 'cmon.drop-database': {
      const [name = ''] = await opened(body.name)
      if (subject === 'cmon.close-database') return engine.closeDatabase(node, name)
      return subject === 'cmon.open-database' ? engine.openDatabase(node, name) : engine.dropDatabase(node, name)
    }
    case 'cmon.put-user':
      return engine.putUser(node, { ...(await userOf(parts, body.user)), logins: await loginsOf(parts, cluster, body.user) })
    case 'cmon.unmake-user':
      return engine.unmakeUser(node, await userOf(parts, body.user))
    case 'cmon.drop-user':
      return engine.dropUser(node, { logins: await opened(...body.logins), heir: body.heir })
  }
}

const openedBy = async ({ personal }: AccessParts, texts: readonly string[]): Promise<readonly string[]> => {
  const opened = await personal.open(texts)
  if (opened.includes(ERASED)) throw new Failure('The names are erased with the key of their owner.', { final: true })
  return opened
}

const userOf = async (parts: AccessParts, user: UserRef): Promise<Omit<MadeUser, 'logins'>> => {
  const { as, administrator, grants, mark } = user
  const names = await openedBy(parts, [user.name, user.second, ...grants.map(({ database }) => database)])
  const [name = '', second = '', ...databases] = names
  return {
    name, second, as, administrator, mark,
    grants: grants.map(({ privilege }, n) => ({ database: databases[n] ?? '', privilege })),
  }
}

const loginsOf = ({ credentials }: AccessParts, cluster: ClusterRef, { logins }: UserRef): Promise<MadeUser['logins']> =>
  Promise.all(
    logins.map(async ({ slot, vaultId, until }) => {
      const password = await credentials.kept(cluster, vaultId)
      if (password === undefined) throw new Failure('The password is not in the vault any more.', { final: true })
      return { slot, password, until }
    }),
  )
