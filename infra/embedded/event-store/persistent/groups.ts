import type { Log } from '../log.ts'
import { configurationIn } from './configuration.ts'
import { type Group, type GroupOrder, keyOf } from './group.ts'
import type { Membership, Subscriber } from './members.ts'
import { aboutOf, doesNotExist, exists, failed, maximumSubscribersReached } from './refusals.ts'
import { runningGroups } from './running.ts'
import { faultIn } from './settings.ts'
import { accepting, type Source } from './source.ts'

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
  const running = runningGroups(log, configuration.load, now)
  const change = inTurn()

  const find = async (source: Source, name: string): Promise<Group> => {
    const group = (await running.all()).get(keyOf(source, name))
    if (group === undefined) throw doesNotExist(aboutOf(source, name))
    return group
  }
  /** Writes down what is to be, before it is. */
  const save = async (edit: (orders: Map<string, GroupOrder>) => unknown, user: string): Promise<void> => {
    const orders = new Map([...(await running.all())].map(([key, { order }]) => [key, order]))
    edit(orders)
    await configuration.save([...orders.values()], user, now())
  }
  const put = async (wanted: Wanted, user: string): Promise<void> => {
    const order = { ...wanted, endWas: await endOf(log, wanted.source) }
    await save((orders) => orders.set(keyOf(order.source, order.name), order), user)
    await running.put(order)
  }

  return {
    create: (wanted, user) => change(async () => {
      check(log, wanted)
      const { source, name } = wanted
      if ((await running.all()).has(keyOf(source, name))) throw exists(aboutOf(source, name))
      await put(wanted, user)
    }),
    update: (wanted, user) => change(async () => {
      const { order } = await find(wanted.source, wanted.name)
      check(log, wanted)
      await put({ ...wanted, source: order.source }, user)
    }),
    remove: (source, name, user) => change(async () => {
      const group = await find(source, name)
      await save((orders) => orders.delete(keyOf(source, name)), user)
      await running.remove(group)
    }),
    // In turn as well, so that nobody joins a group that is being replaced.
    join: (source, name, subscriber, confirm) => change(async () => {
      const group = await find(source, name)
      if (group.isFull()) throw maximumSubscribersReached(aboutOf(source, name))
      confirm()
      return group.join(subscriber)
    }),
    find,
    list: async () => [...(await running.all()).values()],
    restart: () => change(async () => {
      await running.stop()
      await running.all()
    }),
    // Not in turn: a change that waits for a dead log would never let it happen.
    close: running.close,
  }
}
