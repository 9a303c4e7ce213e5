import type { Engine, ReachedNode } from '../engine.ts'
import { fenceCommand } from './fence-command.ts'
import { layoutOf, unitOf } from './layout.ts'
import { probe } from './probe.ts'
import { eventually, isFenced, start } from './server.ts'

const FENCE_TIMEOUT_MS = 10_000

/** The unit is disabled last: with the mark a server that was started anew takes no writes. */
export const fence: Engine['fence'] = async ({ host, signal }) => {
  const layout = layoutOf(host)
  await host.run(fenceCommand(layout), { timeoutMs: FENCE_TIMEOUT_MS, signal })
  await host.stop({ ...unitOf(layout), stopTimeoutMs: 0 })
}

/**
 * The order in which it goes decides what a repetition finds: the mark tells what to do, so it is the last. $1 is the cluster.
 */
const UNFENCE = `
data=$1 fenced=$2 replica=$3
[ -e "$fenced" ] || exit 0
if [ -d "$data" ] && ! [ -e "$replica" ]; then rm -f -- "$data/standby.signal" && sync -- "$data" || exit 1; fi
`

/** Lifts the fence, and nothing else: what begins as a replica still does. */
const LIFT = `[ -e "$1" ] || exit 0; rm -f -- "$1" && sync -- "\${1%/*}" && rm -f -- "$2"`

/** Takes the mark away from data that begin as a replica. */
export const liftFence = async ({ host, signal }: ReachedNode): Promise<void> => {
  const { fenced, fencedReplica } = layoutOf(host)
  await host.run(['sh', '-c', LIFT, 'lift', fenced, fencedReplica], { signal })
}

/** A server that a boot has started since runs as a replica, and has to begin anew to be what it was. */
export const unfence: Engine['unfence'] = async (node) => {
  const { host, signal } = node
  const layout = layoutOf(host)
  const { data, fenced, fencedReplica } = layout
  if (await isFenced(node)) await host.stop(unitOf(layout))
  await host.run(['sh', '-c', UNFENCE, 'unfence', data, fenced, fencedReplica], { signal })
  await liftFence(node)
  await start(node)
  await eventually(signal, async () => (await probe(node)).role !== 'down')
}
