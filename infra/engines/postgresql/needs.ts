import { CommandFailed } from '../../host.ts'
import type { ReachedNode } from '../engine.ts'
import { layoutOf } from './layout.ts'
import type { Settings } from './settings.ts'

/**
 * The parameters of which a replica needs at least what its primary has (PostgreSQL manual, 27.4.3), as pg_controldata calls
 * them, with what holds where nothing is set.
 */
const NEEDS = [
  { name: 'max_connections', told: 'max_connections setting', unset: 100 },
  { name: 'max_worker_processes', told: 'max_worker_processes setting', unset: 8 },
  { name: 'max_wal_senders', told: 'max_wal_senders setting', unset: 10 },
  { name: 'max_prepared_transactions', told: 'max_prepared_xacts setting', unset: 0 },
  { name: 'max_locks_per_transaction', told: 'max_locks_per_xact setting', unset: 64 },
] as const

export const REPLICA_NEEDS: readonly string[] = NEEDS.map(({ name }) => name)

/**
 * What a replica has to have more of than it would be given, since its primary had so much when it wrote what the replica has
 * last replayed. With less it does not start.
 *
 * @param text what pg_controldata prints
 * @param given what it would be given
 */
export const neededIn = (text: string, given: Settings): Settings => {
  const told = new Map(
    text.split('\n').map((line): [string, number] => {
      const [label = '', value] = line.split(':')
      return [label, Number(value)]
    }),
  )
  return Object.fromEntries(
    NEEDS.flatMap(({ name, told: label, unset }): [string, number][] => {
      const needed = told.get(label) ?? 0
      return needed > Number(given[name] ?? unset) ? [[name, needed]] : []
    }),
  )
}

/** The same of a replica that is there; nothing where there is no data yet. */
export const needed = async ({ host, signal }: ReachedNode, given: Settings): Promise<Settings> => {
  const { data } = layoutOf(host)
  if ((await host.read(`${data}/standby.signal`)) === undefined) return {}
  try {
    return neededIn(await host.run(['pg_controldata', '-D', data], { env: { LC_ALL: 'C.UTF-8' }, signal }), given)
  } catch (error) {
    signal.throwIfAborted()
    // Data without a control file are no cluster; whoever starts a server on them is told so by the server.
    if (error instanceof CommandFailed) return {}
    throw error
  }
}
