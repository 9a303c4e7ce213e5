import type { Engine } from '../engine.ts'
import { probe } from './probe.ts'
import { psql } from './psql.ts'
import { slots } from './roles.ts'
import { eventually } from './server.ts'

const PROMOTE_TIMEOUT_S = 60

export const promote: Engine['promote'] = async (node) => {
  const { member, members, signal } = node
  const { role } = await probe(node)
  if (role === 'down') throw new Error('no server answers that could be promoted')
  if (role === 'replica') {
    await psql(node, `select pg_promote(true, ${PROMOTE_TIMEOUT_S})`, { timeoutMs: (PROMOTE_TIMEOUT_S + 10) * 1000 })
    await eventually(signal, async () => (await probe(node)).role === 'primary')
  }
  // pg_rewind of the old primary reads the new timeline from the control file, which only a checkpoint writes.
  await psql(node, `checkpoint;\n${slots(members.filter(({ nodeId }) => nodeId !== member.nodeId))}`)
}
