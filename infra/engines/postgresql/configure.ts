import type { Engine } from '../engine.ts'
import { psql } from './psql.ts'
import { slots } from './roles.ts'
import { configure as writeConfiguration, start } from './server.ts'

/** The configuration is read anew; no connection is cut. A primary keeps a slot for each of the others. */
export const configure: Engine['configure'] = async (node, primary) => {
  const { member, members } = node
  const isPrimary = primary.nodeId === member.nodeId
  await writeConfiguration(node, isPrimary ? undefined : primary)
  await start(node)
  if (isPrimary) await psql(node, slots(members.filter(({ nodeId }) => nodeId !== member.nodeId)))
}
