import { CommandFailed } from '../../host.ts'
import { CannotServe, type Engine, type Member, type NodeContext } from '../engine.ts'
import { layoutOf, unitOf } from './layout.ts'
import { probe } from './probe.ts'
import { literal, psql, psqlAt, unanswered } from './psql.ts'
import { configurationOf, configure, eventually, hasCluster, keptOf, start, stop } from './server.ts'

const REPLAY_MS = 15_000

export const applyParameters: Engine['applyParameters'] = async (node, primary, { restart }) => {
  const { host, member, note, signal } = node
  if (!(await hasCluster(node))) throw new Error('the machine holds no data whose server could have parameters')
  const upstream = primary.nodeId === member.nodeId ? undefined : primary
  if (upstream !== undefined && restart && (await host.running(unitOf(layoutOf(host))))) await letGo(node, upstream)
  await tryOut(node, await configurationOf(node, upstream))
  await forgetOverrides(node)
  await configure(node, upstream)
  if (!(await host.running(unitOf(layoutOf(host))))) return begin(node)
  await readAnew(node)
  if (restart && (await isPending(node))) {
    note(`${member.name} is started anew`)
    await stop(node)
    await begin(node)
  }
  const kept = Object.keys(await keptOf(node, upstream))
  await eventually(signal, async () => {
    const { role, drifted = [] } = await probe(node)
    return role !== 'down' && (!restart || drifted.every((name) => kept.includes(name)))
  })
}

/** What the primary has less of by now a replica need not keep, once it has replayed that. */
const letGo = async (node: NodeContext, primary: Member): Promise<void> => {
  if (Object.keys(await keptOf(node, primary)).length === 0) return
  const signal = AbortSignal.any([node.signal, AbortSignal.timeout(REPLAY_MS)])
  try {
    const written = (await psqlAt({ ...node, signal }, primary, 'select pg_current_wal_lsn()')).trim()
    const caughtUp = `select pg_last_wal_replay_lsn() >= ${literal(written)}::pg_lsn`
    await eventually(signal, async () => (await psql({ ...node, signal }, caughtUp)).trim() === 't')
  } catch {
    // A primary that does not answer, or is too far ahead, lets go of nothing; then the replica keeps what it has.
    node.signal.throwIfAborted()
  }
}

/** The server's own check of a configuration, which touches no server that runs. */
const tryOut = async ({ host, signal }: NodeContext, text: string): Promise<void> => {
  const { config, data } = layoutOf(host)
  const candidate = `${config}.tried`
  await host.write(candidate, text, 0o600)
  try {
    await host.run(['postgres', '-D', data, '-c', `config_file=${candidate}`, '-C', 'cluster_name'], {
      env: { LC_ALL: 'C.UTF-8' }, signal,
    })
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    const reasons = reasonsIn(error.stderr)
    if (reasons === undefined) throw error
    throw new CannotServe(`the server refuses them, ${reasons}`, { cause: error })
  } finally {
    await host.run(['rm', '-f', candidate], { signal })
  }
}

/** What is set by hand on the server itself goes before its configuration, and would come back with each start. */
const forgetOverrides = async ({ host }: NodeContext): Promise<void> => {
  const file = `${layoutOf(host).data}/postgresql.auto.conf`
  const text = await host.read(file)
  if (text?.split('\n').some((line) => line.trim() !== '' && !line.trim().startsWith('#')) === true) {
    await host.write(file, '', 0o600)
  }
}

/** Has a server that runs read its configuration, and waits until it has. */
const readAnew = async (node: NodeContext): Promise<void> => {
  const loaded = async (): Promise<string> => {
    try {
      return (await psql(node, "select extract(epoch from pg_conf_load_time())")).trim()
    } catch (error) {
      // It is starting or in trouble; what it reads when it starts is the new configuration.
      if (unanswered(error)) return ''
      throw error
    }
  }
  const before = await loaded()
  await start(node)
  await eventually(node.signal, async () => before === '' || (await loaded()) !== before)
}

const isPending = async (node: NodeContext): Promise<boolean> =>
  (await psql(node, 'select count(*) from pg_settings where pending_restart')).trim() !== '0'

/** Starts a server that is down. One that does not come up with its parameters never will. */
const begin = async (node: NodeContext): Promise<void> => {
  try {
    await start(node)
  } catch (error) {
    const log = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
    const reasons = reasonsIn(log)
    if (reasons === undefined) throw error
    throw new CannotServe(`the server does not start with them, ${reasons}`, { cause: error })
  }
}

const SAID = /\b(?:FATAL|LOG|ERROR):\s+(.*(?:parameter|shared memory|max_[a-z_]+|prepared transactions).*)$/

/**
 * Why a server refused its configuration, as it said itself; undefined when it said nothing of the kind. Nothing of the machine
 * is told with it: lines that name a path are left out.
 */
export const reasonsIn = (text: string): string | undefined => {
  const said = text.split('\n').flatMap((line) => SAID.exec(line)?.[1] ?? [])
  const fit = said.filter((line) => !line.includes('/'))
  return fit.length === 0 ? undefined : [...new Set(fit)].slice(-3).join('; ')
}
