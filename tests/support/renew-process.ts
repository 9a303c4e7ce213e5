import { z } from 'zod'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { connect } from '../../infra/read-store/connect.ts'
import { renew } from '../../infra/read-store/renew.ts'
import { projections } from '../../projections/index.ts'

/**
 * A rebuild of all read models in a process of its own, so that a test can kill it. Told what to do by its parent's
 * first message; it tells every statement before that is sent to the database.
 */
const Order = z.object({ eventStoreUrl: z.string(), databaseUrl: z.string() })

process.once('message', async (message) => {
  const { eventStoreUrl, databaseUrl } = Order.parse(message)
  const { pool, close } = connect(databaseUrl)
  const store = esdbEventStore({ connectionString: eventStoreUrl })
  let statements = 0
  pool.on('connect', (client) => {
    const query = client.query.bind(client)
    Object.assign(client, {
      query: (...args: Parameters<typeof query>) => {
        process.send?.({ statement: (statements += 1) })
        return query(...args)
      },
    })
  })
  const renewed = await renew({ store, pool, schema: 'read', projections, accept: false, swap: true })
  process.send?.({ outcomes: renewed.map(({ outcome }) => outcome) })
  await store.close()
  await close()
  process.disconnect()
})
// A parent that is gone takes no more care of us.
process.once('disconnect', () => process.exit())
