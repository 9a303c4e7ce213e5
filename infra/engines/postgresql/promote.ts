import type { Engine } from '../engine.ts'
import { keepLease, underLease } from './lease.ts'
import { probe } from './probe.ts'
import { psql } from './psql.ts'
import { slots } from './roles.ts'
import { eventually } from './server.ts'

const PROMOTE_TIMEOUT_S = 60

/** A lease from when it was a primary the last time would end it at once, so it is given another, or is made to need none. */
export const promote: Engine['promote'] = async (node) => {
  if (node.lease === undefined && (await probe(node)).role === 'replica') await keepLease(node, null)
  await underLease(node, () => makePrimary(node))
}

const makePrimary: Engine['promote'] = async (node) => {
  const { member, members, signal } = node
  const others = members.filter(({ nodeId }) => nodeId !== member.nodeId)
  const { role } = await probe(node)
  if (role === 'down') throw new Error('no server answers that could be promoted')
  if (role === 'replica') {
    // Before it, so that the log is kept from here on: whoever follows later than the next checkpoint needs it.
    const sql = `${slots(others, { reserve: true })}select pg_promote(true, ${PROMOTE_TIMEOUT_S})`
    const answer = await psql(node, sql, { timeoutMs: (PROMOTE_TIMEOUT_S + 10) * 1000 })
    // What has not come about in that time may still.
    if (!answer.trim().endsWith('t')) await eventually(signal, async () => (await probe(node)).role === 'primary')
  }
  // pg_rewind of the old primary reads the new timeline from the control file, which only a checkpoint writes.
  await psql(node, `checkpoint;\n${slots(others)}`)
}
