import { z } from 'zod'
import { eventStoreServer } from '../../infra/embedded/event-store/server.ts'

/**
 * The embedded event store in a process of its own, so that a test can kill it. Told what to do by its parent's first
 * message.
 */
const User = z.object({ login: z.string(), password: z.string(), fullName: z.string(), groups: z.array(z.string()) })
const Security = z.object({ certificatePem: z.string(), keyPem: z.string(), users: z.array(User) })
const Order = z.object({ port: z.number(), databaseUrl: z.string(), security: Security.exactOptional() })

process.once('message', async (message) => {
  const server = await eventStoreServer({ host: '127.0.0.1', ...Order.parse(message) })
  process.send?.('ready')
  process.exit((await server.stopped) === undefined ? 0 : 1)
})
// A parent that is gone takes no more care of us.
process.once('disconnect', () => process.exit())
