import type { Registry } from '../../../command-handlers/auth/register.ts'
import type { Actor, Position } from '../../../domain/kernel/event-store.ts'
import { authStore } from '../../auth/auth-store.ts'
import { required } from '../../config.ts'
import { esdbEventStore } from '../../event-store/esdb.ts'
import { masterKey } from '../../secrets/master-key.ts'
import { personalData } from '../../secrets/personal-data.ts'
import { connect } from '../../read-store/connect.ts'
import { readPosition } from '../../read-store/position.ts'
import { runningConfig } from './running.ts'

const WAIT_MS = 10_000

/** Whoever may read the instance's state may do this. */
export const OPERATOR: Actor = { kind: 'operator', id: 'command-line' }

/**
 * Works on the accounts of an instance that is up, and then waits until the services know of it.
 *
 * @param stateDir of the instance; undefined: the repository's own
 * @param work gives the position of what it wrote, and the lines to print
 * @throws when the instance is not up, or its stores do not answer
 */
export const onAccounts = async (
  stateDir: string | undefined,
  work: (
    registry: Registry,
  ) => Promise<{ readonly position: Position | undefined; readonly lines: readonly string[] }>,
): Promise<void> => {
  const config = await runningConfig(stateDir)
  const now = () => new Date().toISOString()
  const url = required(config.ccxDbUrl, 'CCX_DB_URL')
  const { pool, close } = connect(url, { name: 'ccx-cli' })
  const store = esdbEventStore({ connectionString: config.eventStoreUrl })
  const position = readPosition({ url })
  try {
    const auth = authStore({ pool, now })
    await auth.migrate()
    const personal = personalData({ pool, masterKey: await masterKey(required(config.masterKeyFile, 'MASTER_KEY_FILE')) })
    const done = await work({ store, credentials: auth.credentials, personal, now })
    if (done.position !== undefined) await position.waitFor(done.position, WAIT_MS)
    for (const line of done.lines) console.log(line)
  } finally {
    await position.close()
    await store.close()
    await close()
  }
}
