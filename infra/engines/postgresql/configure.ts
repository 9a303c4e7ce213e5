import type { Engine } from '../engine.ts'
import { noOtherSlots, slots } from './roles.ts'
import { configure as writeConfiguration, hasCluster, start } from './server.ts'

/** The configuration is read anew, which cuts no connection. A primary has a slot for each of the others, and no more. */
export const configure: Engine['configure'] = async (node, primary) => {
  const { member, members } = node
  if (!(await hasCluster(node))) throw new Error('the machine holds no data that could be configured')
  const isPrimary = primary.nodeId === member.nodeId
  await writeConfiguration(node, isPrimary ? undefined : primary)
  const others = members.filter(({ nodeId }) => nodeId !== member.nodeId)
  await start(node, isPrimary ? `${noOtherSlots(others)}${slots(others)}select 1;` : undefined)
}
