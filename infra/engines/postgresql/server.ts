import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { CommandFailed } from '../../host.ts'
import type { Member, NodeContext, ReachedNode } from '../engine.ts'
import { pgHba, pgIdent, postgresqlConf, quoted, type ServerConfig, settingsIn } from './config.ts'
import { ATTEMPT_PREFIX, layoutOf, unitOf } from './layout.ts'
import { underLease } from './lease.ts'
import { needed } from './needs.ts'
import { psql, unanswered } from './psql.ts'
import { type Settings, settingsFor } from './settings.ts'

/** Its presence makes the server begin as a replica; the server removes it when it is promoted. */
export const STANDBY_SIGNAL = 'standby.signal'

const POLL_MS_MIN = 10
const POLL_MS_MAX = 40
const CHECKPOINT_TIMEOUT_MS = 30_000
const LONG_WORK_MS = 24 * 3_600_000

/**
 * Asks until the answer is yes.
 *
 * @throws the signal's reason once it has aborted: every wait of a verb ends at the verb's deadline
 */
export const eventually = async (signal: AbortSignal, holds: () => Promise<boolean>): Promise<void> => {
  for (let pauseMs = POLL_MS_MIN; !(await holds()); pauseMs = Math.min(2 * pauseMs, POLL_MS_MAX)) {
    await setTimeout(pauseMs, undefined, { signal })
  }
}

/**
 * Waits for all of them to end, also when one fails: no part of a verb goes on behind the back of its caller.
 *
 * @returns what each gave
 * @throws what the first that failed threw
 */
export const together = async <T extends readonly unknown[]>(
  ...parts: { readonly [K in keyof T]: Promise<T[K]> }
): Promise<{ -readonly [K in keyof T]: T[K] }> => {
  await Promise.allSettled(parts)
  return Promise.all(parts)
}

/** Whether the machine holds a whole cluster. */
export const hasCluster = async ({ host }: Pick<ReachedNode, 'host'>): Promise<boolean> =>
  (await host.read(`${layoutOf(host).data}/PG_VERSION`)) !== undefined

/** Whether that cluster begins as a replica. */
export const isStandby = async ({ host }: Pick<ReachedNode, 'host'>): Promise<boolean> =>
  (await host.read(`${layoutOf(host).data}/${STANDBY_SIGNAL}`)) !== undefined

/** Whether it was fenced, and neither rejoined nor unfenced since. */
export const isFenced = async ({ host }: Pick<ReachedNode, 'host'>): Promise<boolean> =>
  (await host.read(layoutOf(host).fenced)) !== undefined

/** Removes what attempts that were cut off have left. */
export const clearAttempts = async ({ host, signal }: NodeContext): Promise<void> => {
  const { dataDir } = layoutOf(host)
  await host.run(
    ['find', dataDir, '-maxdepth', '1', '-name', `${ATTEMPT_PREFIX}*`, '-exec', 'rm', '-rf', '{}', '+'],
    { timeoutMs: LONG_WORK_MS, signal },
  )
}

export type Run = (argv: readonly [string, ...string[]]) => Promise<string>

/** $1 is made whole with the empty files $4 and on before it becomes $2 in $3; all of it is on the disk at the end. */
const FINISH = `
folder=$1 data=$2 volume=$3; shift 3
cd -- "$folder" || exit 1
for name in "$@"; do : > "$name" || exit 1; done
sync -- "$@" . && mv -T -- "$folder" "$data" && sync -- "$volume"
`

/**
 * Makes the cluster's folder: `fill` works in a folder beside it, which takes its name only when it is whole. So an
 * attempt that was interrupted is never taken for a cluster, and `clearAttempts` takes the folder away from what still
 * writes to it.
 *
 * @param signals the empty files by which the server is told how to begin
 */
export const makeCluster = async (
  { host, signal }: NodeContext,
  fill: (folder: string, run: Run) => Promise<unknown>,
  signals: readonly string[] = [],
): Promise<void> => {
  const { dataDir, data } = layoutOf(host)
  const run: Run = (argv) => host.run(argv, { env: { LC_ALL: 'C.UTF-8' }, timeoutMs: LONG_WORK_MS, signal })
  const folder = `${dataDir}/${ATTEMPT_PREFIX}${randomBytes(4).toString('hex')}`
  await fill(folder, run)
  await run(['sh', '-c', FINISH, 'finish', folder, data, dataDir, ...signals])
}

export const configOf = (
  { host, member, members, instance, common, parameters, unconfirming, readOnly = false, synchronous = false }: ReachedNode,
  upstream: Member | undefined,
): ServerConfig => {
  const settings = settingsFor(instance, common)
  const confirming = synchronous ? members.filter(({ nodeId }) => nodeId !== member.nodeId) : []
  const own = { layout: layoutOf(host), settings, parameters, member, address: host.address, upstream, readOnly, confirming }
  return unconfirming === undefined ? own : { ...own, unconfirming }
}

/** What a replica keeps although it would be given less, for its primary has, or had, as much. */
export const keptOf = async (node: ReachedNode, upstream: Member | undefined): Promise<Settings> =>
  upstream === undefined ? {} : needed(node, settingsIn(configOf(node, upstream)))

/** What postgresql.conf is to hold. */
export const configurationOf = async (node: ReachedNode, upstream: Member | undefined): Promise<string> => {
  const config = configOf(node, upstream)
  return postgresqlConf({ ...config, settings: { ...config.settings, ...(await keptOf(node, upstream)) } })
}

/**
 * Changes one setting of the configuration that is there, until all of it is written anew. A server that runs must be told.
 *
 * @returns whether it was another one
 */
export const putSetting = async ({ host }: ReachedNode, name: string, value: string): Promise<boolean> => {
  const { config } = layoutOf(host)
  const before = (await host.read(config)) ?? ''
  const others = before.split('\n').filter((line) => line !== '' && !line.startsWith(`${name} = `))
  const line = `${name} = ${quoted(value)}`
  if (before.split('\n').includes(line)) return false
  await host.write(config, [...others, line, ''].join('\n'), 0o600)
  return true
}

/** Writes all of the configuration; a server that runs must be told. */
export const configure = async (node: NodeContext, upstream?: Member): Promise<void> => {
  const { host, members, trusted } = node
  const layout = layoutOf(host)
  const writeIdent = async (): Promise<void> => {
    const machineUser = (await host.run(['id', '--user', '--name'], { signal: node.signal })).trim()
    await host.write(layout.ident, pgIdent(machineUser), 0o600)
  }
  const text = await configurationOf(node, upstream)
  await together(
    host.write(layout.config, text, 0o600),
    host.write(layout.hba, pgHba(members, trusted), 0o600),
    writeIdent(),
    ...(layout.socket.startsWith('@') ? [] : [host.run(['mkdir', '-p', layout.socket], { signal: node.signal })]),
  )
}

/**
 * Starts the server, or has it read its configuration anew, and waits until it answers.
 *
 * @param sql what it is asked: statements that may be repeated, and of which the last selects 1 when the wait is over
 * @throws when the server ended instead; the cause holds its last words
 */
export const start = async (node: ReachedNode, sql = 'select 1'): Promise<void> => {
  if (await isFenced(node)) throw new Error('the node is fenced: it has to be rejoined or unfenced before it is started')
  const begin = node.lease !== undefined && !(await isStandby(node)) && !(await answers(node, 'select 1'))
  await (begin ? underLease(node, () => startUnit(node, sql)) : startUnit(node, sql))
}

const startUnit = async (node: ReachedNode, sql: string): Promise<void> => {
  const { host, signal } = node
  const unit = unitOf(layoutOf(host))
  const ran = await host.running(unit)
  await host.start(unit)
  if (ran) await host.reload(unit)
  await eventually(signal, async () => {
    if (await answers(node, sql)) return true
    if (await host.running(unit)) return false
    throw new Error('the database server ended as it was started', { cause: new Error(await host.log(unit, 20)) })
  })
}

const answers = async (node: ReachedNode, sql: string): Promise<boolean> => {
  try {
    return (await psql(node, sql, { commit: 'local' })).trim().endsWith('1')
  } catch (error) {
    if (unanswered(error)) return false
    throw error
  }
}

/**
 * Ends the server cleanly. A primary writes its memory to the disk beforehand, while it still serves: what a checkpoint
 * finds to do makes the stop long, during which nobody is served.
 */
export const stop = async (node: ReachedNode): Promise<void> => {
  const { host, signal } = node
  const unit = unitOf(layoutOf(host))
  if ((await host.running(unit)) && !(await isStandby(node))) {
    try {
      await psql(node, 'checkpoint', { timeoutMs: CHECKPOINT_TIMEOUT_MS })
    } catch (error) {
      signal.throwIfAborted()
      // A server that cannot even do that is stopped all the same.
      if (!(error instanceof CommandFailed)) throw error
    }
  }
  await host.stop(unit)
}
