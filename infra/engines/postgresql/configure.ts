import type { Engine, ReachedNode } from '../engine.ts'
import { settingsIn } from './config.ts'
import { literal } from './psql.ts'
import { noOtherSlots, slots } from './roles.ts'
import { configOf, configure as writeConfiguration, hasCluster, start } from './server.ts'

/** The configuration is read anew, which cuts no connection. A primary has a slot for each of the others, and no more. */
export const configure: Engine['configure'] = async (node, primary) => {
  const { member, members } = node
  if (!(await hasCluster(node))) throw new Error('the machine holds no data that could be configured')
  const isPrimary = primary.nodeId === member.nodeId
  await writeConfiguration(node, isPrimary ? undefined : primary)
  const others = members.filter(({ nodeId }) => nodeId !== member.nodeId)
  await start(node, isPrimary ? `${noOtherSlots(others)}${slots(others)}${inForce(node)}` : undefined)
}

/** Asks for 1 once the server knows whose confirmation it has to wait for. */
const inForce = (node: ReachedNode): string => {
  if (node.synchronous !== true) return 'select 1;'
  const wanted = literal(String(settingsIn(configOf(node, undefined))['synchronous_standby_names']))
  return `select (current_setting('synchronous_standby_names') = ${wanted})::int;`
}
