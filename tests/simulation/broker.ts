import type { Observation } from '../../infra/messaging/observation.ts'
import type { OrderOutcome, PlacedOrder } from '../../domain/job/orders.ts'
import type { Doing, Network } from './network.ts'
import { type Actor, type World, actor } from './world.ts'

export type Carried = {
  readonly orders: PlacedOrder
  readonly infra: PlacedOrder
  readonly outcomes: OrderOutcome
  readonly observations: Observation
}
export type Topic = keyof Carried

export type Delivery<T> = { readonly message: T; readonly ack: () => void; readonly hold: () => void; readonly nak: () => void }
type Taker<T> = { readonly actor: Actor; readonly take: (delivery: Delivery<T>) => void }
type Held = { heldUntil: number }

const ACK_WAIT_MS = 5_000
const NAK_MS = 2_000
const CALL_MS = 2_000
const REPEAT_MS = 120_000

type Lane<T> = { readonly takers: Taker<T>[]; readonly waiting: Map<string, Held & { readonly message: T }> }

export type Broker = ReturnType<typeof broker>

/**
 * The broker: whatever was taken in is delivered at least once, to one of those who take; again when nobody says it
 * is done.
 */
export const broker = (world: World, net: Network) => {
  const own = actor('broker')
  const seen = new Map<string, number>()
  const lane = <T>(): Lane<T> => ({ takers: [], waiting: new Map() })
  const lanes: { readonly [K in Topic]: Lane<Carried[K]> } = {
    orders: lane(), infra: lane(), outcomes: lane(), observations: lane(),
  }

  const deliver = <T>({ takers, waiting }: Lane<T>, id: string): void => {
    const one = waiting.get(id)
    if (one === undefined) return
    const now = world.now()
    if (now < one.heldUntil) return again({ takers, waiting }, id, one.heldUntil - now)
    // Whoever is gone asks for nothing.
    const here = takers.filter(({ actor: { alive } }) => alive)
    one.heldUntil = now + ACK_WAIT_MS
    again({ takers, waiting }, id, ACK_WAIT_MS)
    if (here.length === 0) return
    const { actor: taker, take } = world.random.pick(here)
    const tell = (done: () => void) => (): void => net.send(taker, own, done)
    net.send(own, taker, () =>
      take({
        message: one.message,
        ack: tell(() => void waiting.delete(id)),
        hold: tell(() => void (one.heldUntil = Math.max(one.heldUntil, world.now() + ACK_WAIT_MS))),
        nak: tell(() => {
          one.heldUntil = world.now() + NAK_MS
          again({ takers, waiting }, id, NAK_MS)
        }),
      }))
    // A message that comes twice although nothing failed.
    if (world.random.happens(net.weather.twice)) again({ takers, waiting }, id, 50, true)
  }

  const again = <T>(where: Lane<T>, id: string, inMs: number, atOnce = false): void =>
    world.at(inMs, () =>
      world.reach(own, own.life, () => {
        const one = where.waiting.get(id)
        if (one !== undefined && atOnce) one.heldUntil = world.now()
        deliver(where, id)
      }))

  const accept = <T>(where: Lane<T>, id: string, message: T): void => {
    const before = seen.get(id)
    if (before !== undefined && world.now() - before < REPEAT_MS) return
    seen.set(id, world.now())
    where.waiting.set(id, { message, heldUntil: 0 })
    deliver(where, id)
  }

  return {
    actor: own,
    takers: lanes,
    /** @returns whether it was taken in; otherwise nobody knows */
    *publish<K extends Topic>(from: Actor, topic: K, id: string, message: Carried[K]): Doing<boolean> {
      const done = yield* net.call<true>(from, own, CALL_MS, (answer) => {
        accept<Carried[K]>(lanes[topic], id, message)
        answer(true)
      })
      return done === true
    },
    isEmpty: (): boolean => Object.values(lanes).every(({ waiting }) => waiting.size === 0),
  }
}
