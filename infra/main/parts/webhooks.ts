import { handle } from '../../../command-handlers/handle.ts'
import { derivedId } from '../../../command-handlers/ids.ts'
import { webhookEndpoints } from '../../../command-handlers/webhooks.ts'
import type { Endpoint } from '../../../domain/kernel/endpoint.ts'
import { webhook } from '../../../domain/webhook/webhook.ts'
import { projections } from '../../../projections/index.ts'
import { READ_SCHEMA } from '../../../projections/schema.ts'
import { webhooks } from '../../../read-api/webhooks.ts'
import type { Config } from '../../config.ts'
import { ensureTables } from '../../read-store/tables.ts'
import { traceparent } from '../../telemetry/tracing.ts'
import type { Delivering } from '../../webhooks/deliver.ts'
import { deliveries, deliveryDb, deliveryLog } from '../../webhooks/deliveries.ts'
import { USUAL } from '../../webhooks/schedule.ts'
import { sender } from '../../webhooks/sender.ts'
import { newSigningSecret } from '../../webhooks/signature.ts'
import { type Targets, targets } from '../../webhooks/targets.ts'
import type { Base, Part } from '../base.ts'
import { counted } from './counted.ts'

const TIMEOUT_MS = 15_000
/** At ten attempts each that is about a week without a single delivery. */
const DEAD_IN_A_ROW_MAX = 5
const CONCURRENCY = 64

const DEFAULT_PORTS: Readonly<Record<string, string>> = {
  'http:': '80', 'https:': '443', 'esdb:': '2113', 'esdb+discover:': '2113', 'nats:': '4222', 'tls:': '4222',
  'postgres:': '5432', 'postgresql:': '5432', 'mysql:': '3306', 'mariadb:': '3306',
}

/** `host:port` of every server of ours that the configuration names. */
const ownServers = ({ eventStoreUrl, natsUrl, ccxDbUrl, cmonDbUrl, eventStoreDbUrl, http, dns, healthPort }: Config) => [
  ...[eventStoreUrl, natsUrl, ccxDbUrl, cmonDbUrl, eventStoreDbUrl, http.publicUrl].flatMap((url) => {
    if (url === undefined || !URL.canParse(url)) return []
    const { hostname, port, protocol } = new URL(url)
    return [`${hostname.replaceAll(/[[\]]/g, '')}:${port === '' ? DEFAULT_PORTS[protocol] : port}`]
  }),
  `${http.host}:${http.port}`,
  `127.0.0.1:${healthPort}`,
  dns.server,
]

const targetsOf = (config: Config): Targets => targets({ ...config.webhooks, own: ownServers(config) })

/** The calls about webhooks. */
export const webhookCalls = async (base: Base): Promise<readonly Endpoint[]> => {
  const { config, metrics, now, store, ccxDb } = base
  const { db, pool } = ccxDb()
  const sealed = await base.secrets()
  const personal = await base.personal()
  const delivery = await deliveryDb(pool)
  const { find } = targetsOf(config)
  return [
    ...webhookEndpoints({
      store: store(),
      personal,
      secrets: {
        ensure: (ref) => sealed.ensure(ref, async () => newSigningSecret()),
        open: sealed.open,
        destroySubject: sealed.destroySubject,
      },
      checkTarget: async (url) => {
        const found = await find(url)
        return 'rejected' in found ? found : undefined
      },
      deliveries: deliveries(delivery, now),
      now,
      traceparent,
      around: (send) => counted(metrics, send),
    }),
    ...webhooks({ db: db.withSchema(READ_SCHEMA), personal, deliveryLog: deliveryLog(delivery) }),
  ]
}

/** Sends what happens to those who want to be told. */
export const webhookPart = async (base: Base): Promise<Part> => {
  const { config, log, metrics, now, signal, store, ccxDb } = base
  const events = store()
  const { db, pool } = ccxDb()
  await ensureTables(pool, { schema: READ_SCHEMA, projections })
  const send = counted(metrics, handle({ store: events }, webhook, ({ data }) => `webhook-${data.webhookId}`))
  const pause: Delivering['pause'] = async ({ webhook_id: webhookId, organisation_id: organisationId, course }, because) => {
    const commandId = derivedId('pause webhook', webhookId, course, because)
    const actor = { kind: 'system', id: 'notifier' } as const
    const cause = { commandId, correlationId: commandId, causationId: commandId, actor, organisationId }
    await send({ type: 'PauseWebhook', data: { webhookId, because, now: now() } }, cause)
    log.warn({ webhookId, organisationId, because }, 'a webhook was paused')
  }
  const ended = sender({
    db: await deliveryDb(pool),
    pool,
    read: db.withSchema(READ_SCHEMA),
    personal: await base.personal(),
    secrets: await base.secrets(),
    targets: targetsOf(config),
    pause,
    schedule: USUAL,
    timeoutMs: TIMEOUT_MS,
    deadInARowMax: DEAD_IN_A_ROW_MAX,
    concurrency: CONCURRENCY,
    publicUrl: config.http.publicUrl,
    now,
    chance: Math.random,
    signal,
    log,
    observe: metrics.webhook,
  })
  return { checks: { eventStore: events.ping, ccxDb: () => pool.query('select 1') }, ended }
}
