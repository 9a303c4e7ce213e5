import { randomBytes, randomUUID } from 'node:crypto'
import { z } from 'zod'
import { handle } from '../../command-handlers/handle.ts'
import { derivedId } from '../../command-handlers/ids.ts'
import { webhookEndpoints } from '../../command-handlers/webhooks.ts'
import type { EventStore, NewEvent } from '../../domain/kernel/event-store.ts'
import { webhook } from '../../domain/webhook/webhook.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { migrateToLatest } from '../../infra/read-store/migrate.ts'
import { readPosition } from '../../infra/read-store/position.ts'
import { VAULT, vaultMigrations } from '../../infra/secrets/migrations.ts'
import { personalData } from '../../infra/secrets/personal-data.ts'
import { sealedSecrets } from '../../infra/secrets/sealed.ts'
import { deliveries, deliveryDb, deliveryLog } from '../../infra/webhooks/deliveries.ts'
import type { Schedule } from '../../infra/webhooks/schedule.ts'
import { type Sender, sender } from '../../infra/webhooks/sender.ts'
import { newSigningSecret } from '../../infra/webhooks/signature.ts'
import { type TargetRules, targets } from '../../infra/webhooks/targets.ts'
import { READ_SCHEMA } from '../../projections/schema.ts'
import { webhooks } from '../../read-api/webhooks.ts'
import { keptLog } from './log.ts'
import { startPostgres } from './postgres.ts'
import { emptyReadStore, startProjector } from './read-store.ts'
import { type Answer, principals, startRest } from './rest.ts'
import { sealed } from './personal-data.ts'

const DATABASE = 'hooks'
/** Four attempts; so far apart that only the scene's clock gets from one to the next. */
export const HASTY: Schedule = { firstMs: 60_000, factor: 2, longestMs: 600_000, attemptsMax: 4, jitter: 0 }
export const LOOPBACK: TargetRules = { allowHttp: true, allowed: ['127.0.0.0/8'], own: [] }

const Created = z.object({ id: z.uuid(), secret: z.string() })
const Delivery = z.object({
  id: z.string(), kind: z.string(), event_id: z.string(), attempt: z.number(), outcome: z.string(), latency_ms: z.number(),
  response_code: z.number().nullable(), response: z.string().nullable(), because: z.string().nullable(),
  next_attempt_at: z.string().nullable(),
})
const Deliveries = z.object({ deliveries: z.array(Delivery), cursor: z.string().nullable() })
const DeadLetter = z.object({ event_id: z.string(), attempts: z.number(), because: z.string() })
const DeadLetters = z.object({ dead_letters: z.array(DeadLetter) })
const Standing = z.object({
  status: z.string(), paused_because: z.string().nullable(), cursor: z.string().nullable(), attempts: z.number(),
})

export type WebhookScene = Awaited<ReturnType<typeof startWebhooks>>

/**
 * Everything about webhooks as it runs, over a real Postgres with its real projector and vault; only the event store is in
 * memory, and the clock can be put forward.
 */
export const startWebhooks = async ({ rules = {} }: { readonly rules?: Partial<TargetRules> } = {}) => {
  const postgres = await startPostgres()
  const readStore = await emptyReadStore(postgres.url, DATABASE)
  const { pool, db } = readStore
  await migrateToLatest(db, { schema: VAULT, migrations: vaultMigrations })
  const masterKey = randomBytes(32)
  const [personal, secrets] = [personalData({ pool, masterKey }), sealedSecrets({ pool, masterKey })]
  const store = memoryEventStore()
  const projecting = startProjector(store, readStore)
  const position = readPosition({ url: readStore.url })
  const { log, lines } = keptLog()
  let aheadMs = 0
  const now = () => new Date(Date.now() + aheadMs).toISOString()
  const delivery = await deliveryDb(pool)
  const target = targets({ ...LOOPBACK, ...rules })

  const endpoints = [
    ...webhookEndpoints({
      store, personal, now, traceparent: () => undefined,
      secrets: {
        ensure: (ref) => secrets.ensure(ref, async () => newSigningSecret()),
        open: secrets.open,
        destroySubject: secrets.destroySubject,
      },
      checkTarget: async (url) => {
        const found = await target.find(url)
        return 'rejected' in found ? found : undefined
      },
      deliveries: deliveries(delivery, now),
    }),
    ...webhooks({ db: db.withSchema(READ_SCHEMA), personal, deliveryLog: deliveryLog(delivery) }),
  ]
  await projecting.caughtUp
  const rest = await startRest(endpoints, { waitFor: position.waitFor, log, readYourWritesMs: 20_000 })

  const send = handle({ store }, webhook, ({ data }) => `webhook-${data.webhookId}`)
  /** Sends until it is stopped; each takes over from the one before. */
  const startSender = (more: Partial<Sender> = {}) => {
    const stopping = new AbortController()
    const ended = sender({
      db: delivery, pool, read: db.withSchema(READ_SCHEMA), personal, secrets, targets: target,
      pause: async ({ webhook_id: webhookId, organisation_id: organisationId, course }, because) => {
        const commandId = derivedId('pause webhook', webhookId, course, because)
        const actor = { kind: 'system', id: 'notifier' } as const
        const cause = { commandId, correlationId: commandId, causationId: commandId, actor, organisationId }
        await send({ type: 'PauseWebhook', data: { webhookId, because, now: now() } }, cause)
      },
      schedule: HASTY, timeoutMs: 2_000, deadInARowMax: 100, concurrency: 16, publicUrl: 'http://127.0.0.1:8080',
      now, chance: () => 0.5, signal: stopping.signal, log, observe: () => undefined, pollMs: 50, ...more,
    })
    return {
      stop: async () => {
        stopping.abort()
        await ended
      },
    }
  }

  const asAlice = (method: string, path: string, body?: unknown): Promise<Answer> =>
    rest.ask(method, `/api/v1/webhooks${path}`, { as: 'alice', ...(body === undefined ? {} : { body }) })
  const told: EventWriter = writer(store)

  return {
    rest, store, pool, personal, now, lines, url: readStore.url, masterKey, startSender, asAlice,
    ...told,
    advance: (ms: number) => {
      aheadMs += ms
    },
    create: async (url: string, more: object = {}) => Created.parse((await asAlice('POST', '', { url, ...more })).body),
    standing: async (id: string) => Standing.parse((await asAlice('GET', `/${id}`)).body),
    deliveries: async (id: string) => Deliveries.parse((await asAlice('GET', `/${id}/deliveries?limit=100`)).body).deliveries,
    deadLetters: async (id: string) => DeadLetters.parse((await asAlice('GET', `/${id}/dead-letters`)).body).dead_letters,
    close: async () => {
      await rest.close()
      await projecting.stop()
      await position.close()
      await readStore.close()
      await postgres.stop()
    },
  }
}

type EventWriter = ReturnType<typeof writer>

/** Lets things happen to an organisation that integrators are told of. */
const writer = (store: Pick<EventStore, 'append'>) => {
  const stream = `account-${randomUUID()}`
  let revision: bigint | 'absent' = 'absent'
  /** @returns the ids of the clients that came into being; each public event holds one */
  const happen = async (count: number, organisationId: string = principals.alice.userId): Promise<readonly string[]> => {
    const clients = Array.from({ length: count }, () => randomUUID())
    const events = clients.map((clientId): NewEvent => {
      const ids = { commandId: randomUUID(), correlationId: clientId, causationId: clientId }
      return {
        id: randomUUID(),
        type: 'ClientCreated',
        data: { accountId: organisationId, clientId, name: sealed('tf'), expiresAt: null, at: '2030-01-01T12:00:00.000Z' },
        metadata: { ...ids, actor: { kind: 'user', id: organisationId }, organisationId },
      }
    })
    revision = (await store.append(stream, events, { expected: revision })).revision
    return clients
  }
  return { happen }
}
