import { connect } from 'nats'
import { memoryMessaging } from '../../infra/messaging/memory.ts'
import type { Messaging } from '../../infra/messaging/messaging.ts'
import { natsMessaging } from '../../infra/messaging/nats.ts'
import { connectionOptionsOf } from '../../infra/messaging/nats-link.ts'
import { startNats } from './nats.ts'

/** An empty broker, and a way to put what no sender of ours would. */
export type Bench = {
  readonly messaging: Messaging
  readonly put: (subject: string, payload: string) => Promise<void>
  readonly close: () => Promise<void>
}

export type BenchOptions = { readonly ackWaitMs: number; readonly deliveriesMax?: number }

export type Started = {
  readonly open: (options: BenchOptions) => Promise<Bench>
  readonly stop: () => Promise<void>
}

/** Every implementation of the port. `open` may be called again and again; `stop` ends what stands behind it. */
export const messagings: readonly { readonly name: string; readonly start: () => Promise<Started> }[] = [
  {
    name: 'memory',
    start: async () => ({
      open: async (options) => {
        const messaging = memoryMessaging(options)
        return { messaging, put: async (...args) => messaging.put(...args), close: messaging.close }
      },
      stop: async () => {},
    }),
  },
  {
    name: 'nats',
    start: async () => {
      const server = await startNats()
      const operator = await connect(connectionOptionsOf(server.url))
      const manager = await operator.jetstreamManager()
      return {
        open: async (options) => {
          for await (const { config } of manager.streams.list()) await manager.streams.delete(config.name)
          const messaging = await natsMessaging({ url: server.url, ...options })
          return {
            messaging,
            put: async (subject, payload) => void (await operator.jetstream().publish(subject, payload)),
            close: messaging.close,
          }
        },
        stop: async () => {
          await operator.close()
          await server.stop()
        },
      }
    },
  },
]
