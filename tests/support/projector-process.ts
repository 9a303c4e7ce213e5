import { z } from 'zod'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { connect } from '../../infra/read-store/connect.ts'
import { startProjector } from './read-store.ts'
import type { ReadSchema } from '../../projections/schema.ts'

/** A projector in a process of its own, told by its parent's first message what to do. It says when it has caught up. */
const Order = z.object({ eventStoreUrl: z.string(), databaseUrl: z.string() })

process.once('message', async (message) => {
  const { eventStoreUrl, databaseUrl } = Order.parse(message)
  const readStore = connect<ReadSchema>(databaseUrl)
  const running = startProjector(esdbEventStore({ connectionString: eventStoreUrl }), readStore)
  await running.caughtUp
  process.send?.('caught up')
})
// A parent that is gone takes no more care of us.
process.once('disconnect', () => process.exit())
