import type { Engine } from '../engine.ts'
import { pgHba } from './config.ts'
import { REPLICATION_ROLE, layoutOf, unitOf } from './layout.ts'
import { literal, psql, unanswered } from './psql.ts'
import { eventually } from './server.ts'

/**
 * The rules are written first, so that a server which does not run has them when it starts. One that runs reads them anew;
 * from then on nobody else gets in, and the sessions of all others are ended.
 */
export const setTrusted: Engine['setTrusted'] = async (node) => {
  const { host, members, trusted, signal, note } = node
  const layout = layoutOf(host)
  const unit = unitOf(layout)
  await host.write(layout.hba, pgHba(members, trusted), 0o600)
  if (!(await host.running(unit))) return note('the server does not run; it will have the rules when it starts')
  await eventually(signal, async () => (await loadedAt(node)) !== undefined)
  const before = await loadedAt(node)
  await host.reload(unit)
  // A session that was begun after the reload tells so: it was admitted by the new rules.
  await eventually(signal, async () => ![undefined, before].includes(await loadedAt(node)))
  if (trusted !== undefined) await eventually(signal, async () => (await endOthers(node, trusted)) === 0)
}

type Node = Parameters<Engine['setTrusted']>[0]

/** When the server last read its rules, to the microsecond; undefined when none answers. */
const loadedAt = async (node: Node): Promise<string | undefined> => {
  try {
    return (await psql(node, 'select extract(epoch from pg_conf_load_time())')).trim()
  } catch (error) {
    if (unanswered(error)) return undefined
    throw error
  }
}

/** Tells the sessions of clients from elsewhere to end; how many there were. */
const endOthers = async (node: Node, trusted: readonly string[]): Promise<number> => {
  const among = trusted.map((source) => `client_addr <<= inet ${literal(source)}`).join(' or ')
  const told = await psql(
    node,
    `select count(pg_terminate_backend(pid)) from pg_stat_activity
 where client_addr is not null and usename is distinct from ${literal(REPLICATION_ROLE)}
   and not (${among === '' ? 'false' : among})`,
  )
  return Number(told.trim())
}
