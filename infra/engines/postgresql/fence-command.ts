import type { Layout } from './layout.ts'

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
