import type { Engine, NodeContext } from '../engine.ts'
import { RECEIVES, streams } from './join.ts'
import { layoutOf, unitOf } from './layout.ts'
import { STANDBY_SIGNAL, configure, eventually, hasCluster, isStandby, start } from './server.ts'

export const follow: Engine['follow'] = async (node, primary) => {
  const { host, note } = node
  if (!(await hasCluster(node))) throw new Error('the machine holds no data to follow the primary with')
  if (!(await isStandby(node))) {
    if (await host.running(unitOf(layoutOf(host)))) throw new Error('a primary that runs is not made a replica')
    await makeStandby(node)
  }
  await configure(node, primary)
  note('starting the database server as a replica')
  await start(node, RECEIVES)
  await eventually(node.signal, () => streams(node, primary))
  note(`streaming from ${primary.name}`)
}

/**
 * Slots for the members that followed this one would hold back its log for ever, and go first: what is cut off begins anew.
 * $1 is the cluster's folder, $2 the empty file that makes it a replica's.
 */
const STAND_BY = `
cd -- "$1" || exit 1
find pg_replslot -mindepth 1 -delete && sync -- pg_replslot && : > "$2" && sync -- "$2" .
`

const makeStandby = async ({ host, signal }: NodeContext): Promise<void> => {
  await host.run(['sh', '-c', STAND_BY, 'stand-by', layoutOf(host).data, STANDBY_SIGNAL], { signal })
}
