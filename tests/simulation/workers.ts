import { instant } from './scene.ts'
import type { Carried, Delivery } from './broker.ts'
import { type Came, asked, carryOut } from './commands.ts'
import type { Doing } from './network.ts'
import type { OrderOutcome, PlacedOrder } from '../../domain/job/orders.ts'
import type { Site } from './site.ts'
import { type Actor, actor } from './world.ts'

const HOLD_MS = 2_000

/** The shell of a worker: journal first, nothing past the deadline, an answer before the acknowledgement. */
export const takeOrders = (
  site: Site,
  own: Actor,
  topic: 'orders' | 'infra',
  work: (order: PlacedOrder) => Doing<Came>,
): void => {
  const { world, net, broker, db } = site
  const inHand = new Map<string, number>()
  const isLate = ({ notAfter }: PlacedOrder): boolean => instant(world.wall(own)) >= notAfter

  function* one({ message: order, ack, nak, hold }: Delivery<Carried['orders']>): Doing<void> {
    const holding = (): void => {
      if (inHand.get(order.orderId) !== own.life) return
      hold()
      world.timer(own, HOLD_MS, holding)
    }
    world.timer(own, HOLD_MS, holding)
    const came = isLate(order) ? { because: 'its time was up', final: false } : yield* journalled(order)
    if (came === undefined) return nak()
    const { orderId, jobId, step, key, attempt, course } = order
    const about = { orderId, jobId, step, key, attempt, course, at: instant(world.wall(own)) }
    const outcome: OrderOutcome = 'result' in came ? { ...about, kind: 'succeeded', ...came } : { ...about,
      kind: 'failed', ...came }
    if (yield* broker.publish(own, 'outcomes', `${orderId}:${outcome.kind}`, outcome)) ack()
    else nak()
  }

  /** One that runs out of time is stopped where it is, wherever that may be. */
  function* journalled(order: PlacedOrder): Doing<Came | undefined> {
    const ended = yield* asked(site, own, () => [db.journal.get(order.orderId)] as const)
    if (ended === undefined) return undefined
    if (ended[0] !== undefined) return ended[0]
    world.trace(() => `${own.name} begins ${order.order.subject} ${order.orderId}`)
    const leftMs = Math.max(Date.parse(order.notAfter) - Date.parse(instant(world.wall(own))), 0)
    function* limit(): Doing<Came> {
      yield* net.sleep(own, leftMs)
      return { because: 'it took longer than it may', final: false }
    }
    const [came] = yield* net.beside(own, [work(order), limit()], () => true)
    if (came === undefined) return undefined
    world.trace(() => `${own.name} has done ${order.orderId}: ${JSON.stringify(came)}`)
    const kept = yield* asked(site, own, () => db.journal.set(order.orderId, came))
    return kept === undefined ? undefined : came
  }

  broker.takers[topic].takers.push({
    actor: own,
    take: (delivery) => {
      const { orderId } = delivery.message
      // It came again because a sign of life was late. It is still in hand.
      if (inHand.get(orderId) === own.life) return
      inHand.set(orderId, own.life)
      net.begin(own, one(delivery), () => inHand.delete(orderId))
    },
  })
}

/** What makes names lead somewhere and boots machines. */
export const deployer = (site: Site): Actor => {
  const { net, dns, machines, cloud } = site
  const own = actor('deployer')
  takeOrders(site, own, 'infra', function* ({ order }): Doing<Came> {
    if (order.subject === 'infra.publish-names') {
      const name = order.body.names.find((one) => !one.name.startsWith('replica.'))
      const address = name?.addresses[0]
      if (address === undefined) return { result: {} }
      const node = site.names.find((_, index) => address === `203.0.113.${index + 1}`)
      const done = yield* net.call<true>(own, dns.actor, 2_000, (answer) => {
        dns.primary = node ?? dns.primary
        site.world.trace(() => `the name leads to ${dns.primary}`)
        answer(true)
      })
      return done === true ? { result: {} } : { because: 'no contact', final: false }
    }
    if (order.subject === 'infra.boot-machine') {
      const machine = machines.all.get(order.body.nodeId)
      const done = yield* net.call<true>(own, cloud, 2_000, (answer) => {
        if (machine !== undefined && !machine.lost) machines.boot(machine)
        answer(true)
      })
      return done === true ? { result: {} } : { because: 'no contact', final: false }
    }
    return { result: {} }
  })
  return own
}

/** Takes the orders of the controllers. */
export const orderTaker = (site: Site, own: Actor): void =>
  takeOrders(site, own, 'orders', (order) => carryOut(site, own, order))
