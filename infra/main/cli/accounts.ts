import type { Registry } from '../../../command-handlers/auth/register.ts'
import type { Actor, Position } from '../../../domain/kernel/event-store.ts'
import { onStores } from './stores.ts'

const WAIT_MS = 10_000

/** Whoever may read the instance's state may do this. */
export const OPERATOR: Actor = { kind: 'operator', id: 'command-line', role: 'admin' }

/**
 * Works on the accounts of an instance that is up, and then waits until the services know of it.
 *
 * @param stateDir of the instance; undefined: the repository's own
 * @param work gives the position of what it wrote, and the lines to print
 * @throws when the instance is not up, or its stores do not answer
 */
export const onAccounts = (
  stateDir: string | undefined,
  work: (
    registry: Registry,
  ) => Promise<{ readonly position: Position | undefined; readonly lines: readonly string[] }>,
): Promise<void> =>
  onStores(stateDir, async ({ store, auth, personal, position, now }) => {
    const done = await work({ store, credentials: auth.credentials, personal, now })
    if (done.position !== undefined) await position.waitFor(done.position, WAIT_MS)
    for (const line of done.lines) console.log(line)
  })
