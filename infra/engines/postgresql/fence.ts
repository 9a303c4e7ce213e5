import type { Engine, ReachedNode } from '../engine.ts'
import { type Layout, layoutOf, unitOf } from './layout.ts'
import { probe } from './probe.ts'
import { eventually, start } from './server.ts'

const FENCE_TIMEOUT_MS = 10_000

/**
 * Marks first, then kills, then marks again: a promotion that was under way takes the signal away with which a replica begins.
 * All marks are empty files, for which there is room on a full volume. Every process of a server has its cluster as its working
 * folder, whoever started it, and also when it has outlived its postmaster.
 */
const FENCE = `
data=$1 fenced=$2 replica=$3
mark() {
  mkdir -p -- "\${fenced%/*}" || return 1
  if ! [ -e "$fenced" ]; then
    if [ -e "$data/standby.signal" ]; then : > "$replica" || return 1; else rm -f -- "$replica" || return 1; fi
    : > "$fenced" || return 1
  fi
  sync -- "\${fenced%/*}" || return 1
  if [ -d "$data" ]; then : >> "$data/standby.signal" && sync -- "$data/standby.signal" "$data" || return 1; fi
}
servers() {
  [ -d "$data" ] || return 0
  find -L /proc/[0-9]*/cwd -prune -samefile "$data" 2>/dev/null | cut -d/ -f3
}
mark
for round in 1 2 3 4 5 6 7 8 9 10; do
  pids=$(servers)
  [ -n "$pids" ] || { mark; exit; }
  kill -9 $pids 2>/dev/null
  sleep 0.02
done
exit 1
`

/** What fences a node, to be run on its machine as its user, by whoever. */
export const fenceCommand = ({ data, fenced, fencedReplica }: Layout): readonly [string, ...string[]] => [
  'sh', '-c', FENCE, 'fence', data, fenced, fencedReplica,
]

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

export const unfence: Engine['unfence'] = async (node) => {
  const { host, signal } = node
  const { data, fenced, fencedReplica } = layoutOf(host)
  await host.run(['sh', '-c', UNFENCE, 'unfence', data, fenced, fencedReplica], { signal })
  await liftFence(node)
  await start(node)
  await eventually(signal, async () => (await probe(node)).role !== 'down')
}
