import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { Member, NodeContext, ReachedNode } from '../engine.ts'
import { passfile, pgHba, pgIdent, postgresqlConf } from './config.ts'
import { ATTEMPT_PREFIX, layoutOf, unitOf } from './layout.ts'
import { psql, unanswered } from './psql.ts'
import { settingsFor } from './settings.ts'

const POLL_MS = 30
const LONG_WORK_MS = 24 * 3_600_000

/**
 * Asks until the answer is yes.
 *
 * @throws the signal's reason once it has aborted: every wait of a verb ends at the verb's deadline
 */
export const eventually = async (signal: AbortSignal, holds: () => Promise<boolean>): Promise<void> => {
  while (!(await holds())) await setTimeout(POLL_MS, undefined, { signal })
}

/** Whether the machine holds a whole cluster. */
export const hasCluster = async ({ host }: Pick<ReachedNode, 'host'>): Promise<boolean> =>
  (await host.read(`${layoutOf(host).data}/PG_VERSION`)) !== undefined

/** Whether that cluster begins as a replica. */
export const isStandby = async ({ host }: Pick<ReachedNode, 'host'>): Promise<boolean> =>
  (await host.read(`${layoutOf(host).data}/standby.signal`)) !== undefined

/**
 * Makes the cluster's folder: `fill` works in a folder beside it, which takes its name only when it is whole. So an
 * attempt that was interrupted is never taken for a cluster, and what still writes to it finds its folder gone.
 */
export const makeCluster = async (
  { host, signal }: NodeContext,
  fill: (folder: string, run: (argv: readonly [string, ...string[]]) => Promise<string>) => Promise<void>,
): Promise<void> => {
  const { dataDir, data } = layoutOf(host)
  const run = (argv: readonly [string, ...string[]]): Promise<string> =>
    host.run(argv, { env: { LC_ALL: 'C.UTF-8' }, timeoutMs: LONG_WORK_MS, signal })
  await run(['find', dataDir, '-maxdepth', '1', '-name', `${ATTEMPT_PREFIX}*`, '-exec', 'rm', '-rf', '{}', '+'])
  const folder = `${dataDir}/${ATTEMPT_PREFIX}${randomBytes(4).toString('hex')}`
  await fill(folder, run)
  await run(['mv', '--no-target-directory', folder, data])
  await run(['sync', dataDir])
}

/** Writes all of the configuration; a server that runs must be told. */
export const configure = async (node: NodeContext, upstream?: Member): Promise<void> => {
  const { host, member, members, instance, secrets } = node
  const layout = layoutOf(host)
  const machineUser = (await host.run(['id', '--user', '--name'], { signal: node.signal })).trim()
  const settings = settingsFor(instance)
  await Promise.all([
    host.write(layout.config, postgresqlConf({ layout, settings, member, address: host.address, upstream }), 0o600),
    host.write(layout.hba, pgHba(members), 0o600),
    host.write(layout.ident, pgIdent(machineUser), 0o600),
    host.write(layout.passfile, passfile(secrets.replicationPassword), 0o600),
    layout.socket.startsWith('@') ? undefined : host.run(['mkdir', '-p', layout.socket], { signal: node.signal }),
  ])
}

/**
 * Starts the server, or has it read its configuration anew, and waits until it takes connections.
 *
 * @throws when the server ended instead; the cause holds its last words
 */
export const start = async (node: ReachedNode): Promise<void> => {
  const { host, signal } = node
  const unit = unitOf(layoutOf(host))
  const ran = await host.running(unit)
  await host.start(unit)
  if (ran) await host.reload(unit)
  await eventually(signal, async () => {
    if (await answers(node)) return true
    if (await host.running(unit)) return false
    throw new Error('the database server ended as it was started', { cause: new Error(await host.log(unit, 20)) })
  })
}

const answers = async (node: ReachedNode): Promise<boolean> => {
  try {
    return (await psql(node, 'select 1')).trim() === '1'
  } catch (error) {
    if (unanswered(error)) return false
    throw error
  }
}

/** Ends the server cleanly. */
export const stop = ({ host }: ReachedNode): Promise<void> => host.stop(unitOf(layoutOf(host)))
