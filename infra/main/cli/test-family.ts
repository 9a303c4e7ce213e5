import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { identityOf, isAlive, type ProcessIdentity } from '../../embedded/process-identity.ts'

export type FamilyMember = { readonly name: string; readonly process: ProcessIdentity }

export type Family = {
  /** Those who still run; the first process itself is not among them when it has ended. */
  readonly alive: () => readonly FamilyMember[]
  readonly close: () => void
}

const LOOK_EVERY_MS = 200

const textOf = (path: string): string => {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

/**
 * Everything that a process has started, directly or not, also in sessions of their own and after their parents' end:
 * known by a mark that they inherit in their environment, or seen as a descendant while their parents still ran.
 *
 * @param root the first process, just started by us; undefined when that failed
 * @param mark what is searched for in environments
 */
export const family = (root: number | undefined, mark: string): Family => {
  const known = new Map<string, FamilyMember>()
  const keyOf = ({ pid, startedTicks }: ProcessIdentity): string => `${pid} ${startedTicks}`
  const remember = (pid: number): void => {
    const found = identityOf(pid)
    if (found !== undefined) known.set(keyOf(found), { name: textOf(`/proc/${pid}/comm`).trim(), process: found })
  }
  if (root !== undefined) remember(root)

  const look = (): void => {
    const parents = new Map<number, number>()
    for (const entry of readdirSync('/proc')) {
      const pid = Number(entry)
      if (!Number.isInteger(pid)) continue
      const stat = textOf(`/proc/${entry}/stat`)
      parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
    }
    // Never by a bare number: it may be another's by now.
    const pids = new Set([...known.values()].filter((each) => isAlive(each.process)).map((each) => each.process.pid))
    for (let size = 0; size !== pids.size; ) {
      size = pids.size
      for (const [pid, parent] of parents) if (pids.has(parent)) pids.add(pid)
    }
    for (const pid of parents.keys()) {
      if (pids.has(pid) || textOf(`/proc/${pid}/environ`).includes(mark)) remember(pid)
    }
  }

  const watch = setInterval(look, LOOK_EVERY_MS)
  return {
    alive: () => {
      look()
      return [...known.values()].filter((each) => isAlive(each.process))
    },
    close: () => clearInterval(watch),
  }
}

/** Kills until nobody is left: one who is just being started is not seen at the first look. */
export const killAll = async (members: Family): Promise<void> => {
  for (let rest = members.alive(); rest.length > 0; rest = members.alive()) {
    for (const { process: target } of rest) {
      try {
        process.kill(target.pid, 'SIGKILL')
      } catch {
        // Gone already.
      }
    }
    await pause(20)
  }
}
