import { copyFile, rename, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { endStaleChildren, forgetChild, spawnChild, type Child } from './child.ts'
import { endProcess, identityOf, type ProcessIdentity } from './process-identity.ts'

/** Children that start at the same time, after the stage before them is ready. */
export type Stage = {
  readonly children: readonly Child[]
  /** Called when all of the stage have been stopped. */
  readonly afterStop?: () => Promise<void>
}

export type ChildStatus = {
  readonly name: string
  readonly state: 'waiting' | 'starting' | 'up' | 'backing-off' | 'stopped'
  readonly process: ProcessIdentity | null
  readonly restarts: number
  readonly ports: readonly number[]
}

export type SuperviseOptions = {
  readonly stages: readonly Stage[]
  /** Pid files; must exist. */
  readonly runDir: string
  /** One log per child; must exist. */
  readonly logsDir: string
  readonly onChange?: (children: readonly ChildStatus[]) => void
  /** Told in one line of what an operator should know. */
  readonly log?: (line: string) => void
  /** The first pause before a restart; doubles with each failure. Default 200. */
  readonly backOffMs?: number
  /** How often a child may fail to start before the first time it is up. Default 5. */
  readonly attemptsMax?: number
}

export type Supervisor = {
  /** Starts stage after stage; resolves when all are up. Throws when one does not come up; the others run on then. */
  readonly start: () => Promise<void>
  /** Ends everything, the last stage first. May be called at any time, also while `start` runs. */
  readonly stop: () => Promise<void>
}

const BACK_OFF_MAX_MS = 10_000
/** A child that has been up and lived this long has recovered: its next fault is a new one. */
const HEALTHY_MS = 1_000
const LOG_BYTES_MAX = 20_000_000
const LOG_CHECK_MS = 60_000

type Keeper = {
  readonly status: () => ChildStatus
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

/**
 * Keeps children running: starts them in order, restarts each that ends, stops them in the reverse order.
 * Children of an earlier supervisor that still run are ended first.
 */
export const supervisor = (options: SuperviseOptions): Supervisor => {
  const { stages, runDir, logsDir, log } = options
  const keepers = stages.map(({ children }, stage) =>
    children.map((child) => keeper(child, stage, options, () => changed())),
  )
  const changed = (): void => options.onChange?.(keepers.flat().map((each) => each.status()))
  const stopping = new AbortController()
  const rotation = setInterval(() => void rotateLogs(logsDir, stages.flatMap(({ children }) => children)), LOG_CHECK_MS)

  return {
    start: async () => {
      const stale = await endStaleChildren(runDir)
      if (stale.length > 0) log?.(`ended what an earlier run had left behind: ${stale.join(', ')}`)
      for (const stage of keepers) {
        if (stopping.signal.aborted) return
        await Promise.all(stage.map((each) => each.start()))
      }
    },
    stop: async () => {
      stopping.abort()
      clearInterval(rotation)
      for (const [number, stage] of [...keepers.entries()].toReversed()) {
        await Promise.all(stage.map((each) => each.stop()))
        await stages[number]?.afterStop?.()
      }
    },
  }
}

const keeper = (child: Child, stage: number, options: SuperviseOptions, changed: () => void): Keeper => {
  const { logsDir, log, backOffMs = 200, attemptsMax = 5 } = options
  const stopping = new AbortController()
  let state: ChildStatus['state'] = 'waiting'
  let current: ProcessIdentity | undefined
  let restarts = 0
  let kept: Promise<void> | undefined

  const become = (next: ChildStatus['state'], process: ProcessIdentity | undefined = current): void => {
    state = next
    current = process
    changed()
  }

  /** Lives, one after the other, until it is told to stop. */
  const keep = async (onUp: () => void, onGivenUp: (error: Error) => void): Promise<void> => {
    let failures = 0
    let wasUp = false
    while (!stopping.signal.aborted) {
      const startedMs = performance.now()
      let isUpNow = false
      become('starting')
      const fault = await live(child, { ...options, stage, stopping: stopping.signal }, (process, isUp) => {
        become(isUp ? 'up' : state, process)
        isUpNow ||= isUp
        wasUp ||= isUp
        if (isUp) onUp()
      }).then(() => undefined, (error: unknown) => error)
      if (stopping.signal.aborted) break
      failures = isUpNow && performance.now() - startedMs >= HEALTHY_MS ? 1 : failures + 1
      if (!wasUp && failures >= attemptsMax) {
        const file = join(logsDir, `${child.name}.log`)
        onGivenUp(new Error(`${child.name} does not start; see ${file}`, { cause: fault }))
        break
      }
      const pauseMs = Math.min(backOffMs * 2 ** (failures - 1), BACK_OFF_MAX_MS)
      log?.(`${child.name} has ended; it is started again in ${pauseMs} ms`)
      restarts += 1
      become('backing-off')
      await pause(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
    become('stopped')
  }

  return {
    status: () => ({ name: child.name, state, process: current ?? null, restarts, ports: child.ports }),
    start: () =>
      new Promise<void>((resolve, reject) => {
        // Stopped before it was up is no fault of the child's.
        kept = keep(resolve, reject).finally(resolve)
      }),
    stop: async () => {
      stopping.abort()
      if (current !== undefined) await endProcess(current, child.stopSignal, child.stopTimeoutMs)
      await kept
    },
  }
}

type LifeOptions = SuperviseOptions & { readonly stage: number; readonly stopping: AbortSignal }

/**
 * One life of a child, from its start to its end.
 *
 * @param tell told of its process, of its being up, and (undefined) of its end
 * @throws when it cannot be prepared, or not be provided with what its users need
 */
const live = async (
  child: Child,
  { runDir, logsDir, log, stage, stopping }: LifeOptions,
  tell: (process: ProcessIdentity | undefined, isUp: boolean) => void,
): Promise<void> => {
  await child.prepare?.()
  if (stopping.aborted) return
  const running = spawnChild(child, { runDir, logsDir, stage })
  const over = new AbortController()
  const ended = new Promise<void>((resolve) => {
    running.on('exit', () => resolve())
    running.on('error', () => resolve())
  }).finally(() => over.abort())
  const process = running.pid === undefined ? undefined : identityOf(running.pid)
  tell(process, false)
  const end = async (): Promise<void> => {
    if (process !== undefined) await endProcess(process, child.stopSignal, child.stopTimeoutMs)
  }
  try {
    if (await becomesReady(child, AbortSignal.any([over.signal, stopping]))) {
      await child.provision?.()
      tell(process, true)
    } else if (!over.signal.aborted) {
      if (!stopping.aborted) log?.(`${child.name} was not ready within ${child.readyWithinMs} ms`)
      await end()
    }
  } catch (cause) {
    await end()
    throw new Error(`${child.name} could not be set up`, { cause })
  } finally {
    await ended
    tell(undefined, false)
    await forgetChild(runDir, child.name)
  }
}

const becomesReady = async (child: Child, over: AbortSignal): Promise<boolean> => {
  const deadline = performance.now() + child.readyWithinMs
  for (let pauseMs = 10; !over.aborted && performance.now() < deadline; pauseMs = Math.min(pauseMs * 1.5, 200)) {
    if (await child.ready().catch(() => false)) return !over.aborted
    await pause(pauseMs, undefined, { signal: over }).catch(() => undefined)
  }
  return false
}

/** Copies and cuts, because the children hold the files open (for appending). */
const rotateLogs = async (logsDir: string, children: readonly Child[]): Promise<void> => {
  for (const { name } of children) {
    const path = join(logsDir, `${name}.log`)
    const size = await stat(path).then((found) => found.size, () => 0)
    if (size < LOG_BYTES_MAX) continue
    await copyFile(path, `${path}.new`)
    await truncate(path, 0)
    await rename(`${path}.new`, `${path}.1`)
  }
}
