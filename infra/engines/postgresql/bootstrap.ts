import type { Engine, NodeContext } from '../engine.ts'
import { SUPERUSER } from './layout.ts'
import { ownRoles, slots } from './roles.ts'
import { clearAttempts, configure, hasCluster, isStandby, makeCluster, start, together } from './server.ts'

export const bootstrap: Engine['bootstrap'] = async (node) => {
  const { member, members, note, secrets } = node
  const [standby, made] = await together(isStandby(node), hasCluster(node), clearAttempts(node))
  if (standby) throw new Error('the machine holds a replica, which is not made a primary by a bootstrap')
  await together(configure(node), made ? Promise.resolve() : create(node))
  const roles = await ownRoles(secrets)
  note('starting the database server')
  await start(node, `${roles}${slots(members.filter(({ nodeId }) => nodeId !== member.nodeId))}select 1;`)
}

const create = (node: NodeContext): Promise<void> => {
  node.note('creating the database cluster')
  // Nobody may log in by the files that initdb leaves: the server is given others.
  return makeCluster(node, (folder, run) =>
    run([
      'initdb', '--pgdata', folder, '--username', SUPERUSER, '--auth=reject', '--data-checksums', '--encoding=UTF8',
      '--locale=C.UTF-8', '--no-instructions',
    ]),
  )
}
