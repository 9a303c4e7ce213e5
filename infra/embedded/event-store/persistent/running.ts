import type { Log } from '../log.ts'
import { type Group, type GroupOrder, keyOf, openGroup } from './group.ts'
import { insist } from './insist.ts'
import { droppedFrom } from './refusals.ts'

/** How often messages are looked through for those not answered in time, in ms. The real server does so every second. */
const TICK_MS = 250

/** By key, in the order in which they were made. */
export type Open = ReadonlyMap<string, Group>

/** The groups that run. */
export type Running = {
  /** Opens them if they are not. @throws when the log cannot be read */
  readonly all: () => Promise<Open>
  /** Runs a group, in place of the one before it if there is one. */
  readonly put: (order: GroupOrder) => Promise<void>
  readonly remove: (group: Group) => Promise<void>
  /** Drops all consumers. The next question opens the groups anew. */
  readonly stop: () => Promise<void>
  /** For good. */
  readonly close: () => Promise<void>
}

/**
 * @param load which groups there are
 * @param now the time in ms since 1970, which never goes back
 */
export const runningGroups = (log: Log, load: () => Promise<readonly GroupOrder[]>, now: () => number): Running => {
  const closing = new AbortController()
  const { signal } = closing
  let opening: Promise<Open> | undefined
  let ticking: NodeJS.Timeout | undefined

  const open = (order: GroupOrder): Promise<Group> => insist(() => openGroup({ log, order, now, over: signal }), signal)
  const openAll = async (): Promise<Open> => {
    const orders = await load()
    return new Map(await Promise.all(orders.map(async (it) => [keyOf(it.source, it.name), await open(it)] as const)))
  }
  const tick = async (): Promise<void> => {
    for (const group of (await opening)?.values() ?? []) group.tick()
  }
  const all = (): Promise<Open> => {
    if (!signal.aborted) ticking ??= setInterval(() => void tick().catch(() => undefined), TICK_MS).unref()
    opening ??= openAll().catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }
  const stop = async (): Promise<void> => {
    const groups = [...((await opening?.catch(() => undefined))?.values() ?? [])]
    await Promise.all(groups.map((it) => it.close(droppedFrom(it))))
    opening = undefined
  }
  return {
    all,
    stop,
    put: async (order) => {
      const before = await all()
      const key = keyOf(order.source, order.name)
      const replaced = before.get(key)
      await replaced?.close(droppedFrom(replaced))
      opening = Promise.resolve(new Map(before).set(key, await open(order)))
    },
    remove: async (group) => {
      const left = new Map(await all())
      left.delete(keyOf(group.order.source, group.order.name))
      opening = Promise.resolve(left)
      await group.close(droppedFrom(group))
      await insist(group.forget, signal)
    },
    close: async () => {
      closing.abort()
      clearInterval(ticking)
      await stop()
    },
  }
}
