import type { Engine } from '../engine.ts'
import { createAccount, setPassword } from './accounts.ts'
import { bootstrap } from './bootstrap.ts'
import { catchUp } from './catch-up.ts'
import { configure } from './configure.ts'
import { connections } from './connections.ts'
import { closeDatabase, dropDatabase, openDatabase, putDatabase, unmakeDatabase } from './databases.ts'
import { endWriters } from './end-writers.ts'
import { erase } from './erase.ts'
import { fence, unfence } from './fence.ts'
import { follow } from './follow.ts'
import { forget } from './forget.ts'
import { hears } from './hears.ts'
import { inhabitants } from './inhabitants.ts'
import { install } from './install.ts'
import { join } from './join.ts'
import { applyParameters } from './parameters.ts'
import { keepLease } from './lease.ts'
import { probe } from './probe.ts'
import { promote } from './promote.ts'
import { rejoin } from './rejoin.ts'
import { session } from './session.ts'
import { standing } from './standing.ts'
import { setTrusted } from './trust.ts'
import { hasCluster, start, stop } from './server.ts'
import { dropUser, putUser, unmakeUser } from './users.ts'

/** PostgreSQL with streaming replication. */
export const postgresql = {
  name: 'postgresql',
  port: 5432,
  versions: ['15', '16', '17', '18'],
  capabilities: new Set(['streaming-replication', 'synchronous-replication'] as const),
  install,
  bootstrap,
  join,
  configure,
  endWriters,
  applyParameters,
  setTrusted,
  createAccount,
  setPassword,
  putDatabase,
  unmakeDatabase,
  closeDatabase,
  openDatabase,
  dropDatabase,
  putUser,
  unmakeUser,
  dropUser,
  inhabitants,
  connections,
  probe,
  catchUp,
  promote,
  follow,
  fence,
  unfence,
  standing,
  hears,
  rejoin,
  session,
  keepLease,
  stop,
  async start(node) {
    if (!(await hasCluster(node))) throw new Error('the machine holds no data to start a server on')
    await start(node)
  },
  forget,
  erase,
} satisfies Engine
