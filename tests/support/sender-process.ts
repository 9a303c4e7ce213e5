import { z } from 'zod'
import { connect } from '../../infra/read-store/connect.ts'
import { personalData } from '../../infra/secrets/personal-data.ts'
import { sealedSecrets } from '../../infra/secrets/sealed.ts'
import { deliveryDb } from '../../infra/webhooks/deliveries.ts'
import { sender } from '../../infra/webhooks/sender.ts'
import { targets } from '../../infra/webhooks/targets.ts'
import { READ_SCHEMA, type ReadSchema } from '../../projections/schema.ts'
import { keptLog } from './log.ts'
import { HASTY, LOOPBACK } from './webhook-scene.ts'

/** The sender of webhooks in a process of its own, so that a test can kill it. Told what to do by its parent's first message. */
const Order = z.object({ url: z.string(), masterKey: z.base64() })

process.once('message', (message) => {
  const { url, masterKey: encoded } = Order.parse(message)
  const { db, pool } = connect<ReadSchema>(url)
  const masterKey = Buffer.from(encoded, 'base64')
  void deliveryDb(pool).then((delivery) =>
    sender({
      db: delivery,
      pool,
      read: db.withSchema(READ_SCHEMA),
      personal: personalData({ pool, masterKey }),
      secrets: sealedSecrets({ pool, masterKey }),
      targets: targets(LOOPBACK),
      pause: () => Promise.reject(new Error('nothing is to be paused here')),
      schedule: HASTY,
      timeoutMs: 2_000,
      deadInARowMax: 100,
      concurrency: 16,
      publicUrl: 'http://127.0.0.1:8080',
      now: () => new Date().toISOString(),
      chance: () => 0,
      signal: new AbortController().signal,
      log: keptLog().log,
      observe: () => undefined,
      pollMs: 50,
    }),
  )
})
// A parent that is gone takes no more care of us.
process.once('disconnect', () => process.exit())
