import type { Log } from '../log.ts'
import { configurationIn } from './configuration.ts'
import { type Group, type GroupOrder, keyOf, type Membership, openGroup, type Subscriber } from './group.ts'
import { insist } from './insist.ts'
import { doesNotExist, dropped, exists, failed, maximumSubscribersReached } from './refusals.ts'
import { faultIn } from './settings.ts'
import { accepting, nameOf, type Source } from './source.ts'

/** How often messages are looked through for those not answered in time, in ms. The real server does so every second. */
const TICK_MS = 250

/** What a client asks for; where the end is, is found out here. */
export type Wanted = Omit<GroupOrder, 'endWas'>

/**
 * All groups of persistent subscriptions. They are opened when the first question comes.
 *
 * Every call throws a Refusal when it names a group that is not there, and whatever the log throws.
 */
export type Groups = {
  /** @throws Refusal when there is such a group, or the settings make no sense */
  readonly create: (wanted: Wanted, user: string) => Promise<void>
  /** Its consumers are dropped. A filter stays as it is. */
  readonly update: (wanted: Wanted, user: string) => Promise<void>
  readonly remove: (source: Source, name: string, user: string) => Promise<void>
  /**
   * @param confirm called before the first message is sent
   * @throws Refusal when the group has as many consumers as it may have
   */
  readonly join: (
    source: Source, name: string, subscriber: Subscriber, confirm: () => void,
  ) => Promise<Membership>
  readonly find: (source: Source, name: string) => Promise<Group>
  /** In the order in which they were made. */
  readonly list: () => Promise<readonly Group[]>
  /** Drops all consumers and opens all groups anew from what is written down. */
  readonly restart: () => Promise<void>
  readonly close: () => Promise<void>
}

type Open = ReadonlyMap<string, Group>

const aboutOf = (source: Source, name: string) => ({ stream: nameOf(source), group: name })
const droppedFrom = ({ order }: Group) => dropped(aboutOf(order.source, order.name))

/** Changes go one after the other; a failed one does not hold up the next. */
const inTurn = () => {
  let last: Promise<unknown> = Promise.resolve()
  return <T>(change: () => Promise<T>): Promise<T> => {
    const mine = last.then(change)
    last = mine.catch(() => undefined)
    return mine
  }
}

/** @throws Refusal when a group cannot be what is wanted */
const check = (log: Log, { source, name, settings, startFrom }: Wanted): void => {
  const about = aboutOf(source, name)
  if (name === '') throw failed(about, 'a group has a name')
  const fault = faultIn(settings)
  if (fault !== undefined) throw failed(about, fault)
  if (source.stream !== undefined) return
  accepting(source.filter)
  if (startFrom !== 'end' && startFrom > log.head()) {
    throw failed(about, 'Invalid Start From position: commit position must be less than or equal to the last commit ' +
      'position in the transaction file.')
  }
}

const endOf = async (log: Log, { stream }: Source): Promise<number> =>
  stream === undefined ? log.head() : ((await log.storage.headOf(stream))?.revision ?? -1)

/** @param now the time in ms since 1970, which never goes back */
export const groupsIn = (log: Log, now: () => number): Groups => {
  const configuration = configurationIn(log)
  const change = inTurn()
  let opening: Promise<Open> | undefined
  let ticking: NodeJS.Timeout | undefined
  const closing = new AbortController()

  const open = (order: GroupOrder): Promise<Group> => openGroup({ log, order, now })
  const openAll = async (): Promise<Open> => {
    const orders = await configuration.load()
    return new Map(await Promise.all(orders.map(async (it) => [keyOf(it.source, it.name), await open(it)] as const)))
  }
  const groups = (): Promise<Open> => {
    opening ??= openAll().catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }
  const tick = async (): Promise<void> => {
    for (const group of (await groups()).values()) group.tick()
  }
  const ready = async (): Promise<Open> => {
    if (!closing.signal.aborted) ticking ??= setInterval(() => void tick().catch(() => undefined), TICK_MS).unref()
    return groups()
  }
  const find = async (source: Source, name: string): Promise<Group> => {
    const group = (await ready()).get(keyOf(source, name))
    if (group === undefined) throw doesNotExist(aboutOf(source, name))
    return group
  }
  /** Writes down what is to be before it is. */
  const save = async (next: ReadonlyMap<string, GroupOrder>, user: string): Promise<void> =>
    configuration.save([...next.values()], user, now())
  const ordersOf = (running: Open): Map<string, GroupOrder> => new Map([...running].map(([key, it]) => [key, it.order]))
  const put = async (order: GroupOrder, user: string): Promise<void> => {
    const running = await ready()
    const key = keyOf(order.source, order.name)
    const before = running.get(key)
    await save(ordersOf(running).set(key, order), user)
    if (before !== undefined) await before.close(droppedFrom(before))
    opening = Promise.resolve(new Map(running).set(key, await insist(() => open(order), closing.signal)))
  }
  const closeAll = async (): Promise<void> => {
    const running = opening === undefined ? [] : [...(await opening.catch(() => new Map())).values()]
    await Promise.all(running.map((it) => it.close(droppedFrom(it))))
  }

  return {
    create: (wanted, user) => change(async () => {
      check(log, wanted)
      const { source, name } = wanted
      if ((await ready()).has(keyOf(source, name))) throw exists(aboutOf(source, name))
      await put({ ...wanted, endWas: await endOf(log, source) }, user)
    }),
    update: (wanted, user) => change(async () => {
      const { order } = await find(wanted.source, wanted.name)
      check(log, wanted)
      await put({ ...wanted, source: order.source, endWas: await endOf(log, order.source) }, user)
    }),
    remove: (source, name, user) => change(async () => {
      const group = await find(source, name)
      const running = new Map(await ready())
      running.delete(keyOf(source, name))
      await save(ordersOf(running), user)
      opening = Promise.resolve(running)
      await group.close(droppedFrom(group))
      await insist(group.forget, closing.signal)
    }),
    // In turn as well, so that nobody joins a group that is being replaced.
    join: (source, name, subscriber, confirm) => change(async () => {
      const group = await find(source, name)
      if (group.isFull()) throw maximumSubscribersReached(aboutOf(source, name))
      confirm()
      return group.join(subscriber)
    }),
    find,
    list: async () => [...(await ready()).values()],
    restart: () => change(async () => {
      await closeAll()
      opening = undefined
      await ready()
    }),
    close: async () => {
      closing.abort()
      clearInterval(ticking)
      await change(closeAll)
    },
  }
}
