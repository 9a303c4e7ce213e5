import { z } from 'zod'
import { eventStoreServer } from '../../infra/embedded/event-store/server.ts'

/**
 * The embedded event store in a process of its own, so that a test can kill it. Told what to do by its parent's first
 * message.
 */
const Order = z.object({ port: z.number(), databaseUrl: z.string() })

process.once('message', async (message) => {
  const server = await eventStoreServer({ host: '127.0.0.1', ...Order.parse(message) })
  process.send?.('ready')
  process.exit((await server.stopped) === undefined ? 0 : 1)
})
// A parent that is gone takes no more care of us.
process.once('disconnect', () => process.exit())
