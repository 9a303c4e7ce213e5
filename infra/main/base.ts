import { once } from 'node:events'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import type { Outbox } from '../../domain/kernel/mail.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import { projections } from '../../projections/index.ts'
import type { ReadSchema } from '../../projections/schema.ts'
import { type Config, readConfig, required } from '../config.ts'
import { esdbEventStore } from '../event-store/esdb.ts'
import { type EventStoreUsers, eventStoreUsers } from '../event-store/esdb-users.ts'
import { mailDb, outbox } from '../mail/outbox.ts'
import { natsMessaging } from '../messaging/nats.ts'
import { type Questions, natsQuestions } from '../messaging/questions.ts'
import type { Messaging } from '../messaging/messaging.ts'
import { type ReadStore, connect } from '../read-store/connect.ts'
import { type ReadPosition, readPosition } from '../read-store/position.ts'
import { migrateToLatest } from '../read-store/migrate.ts'
import { masterKey } from '../secrets/master-key.ts'
import { VAULT, vaultMigrations } from '../secrets/migrations.ts'
import { personalData } from '../secrets/personal-data.ts'
import { sealedSecrets } from '../secrets/sealed.ts'
import type { Secrets } from '../secrets/secrets.ts'
import { type Checks, serveHealth } from '../telemetry/health.ts'
import { type Log, createLog } from '../telemetry/logger.ts'
import { type Metrics, type MetricsHandler, startMetrics } from '../telemetry/metrics.ts'
import { startTelemetry } from '../telemetry/tracing.ts'

/** What every service stands on. Each connection is made once, by the first part that asks for it. */
export type Base = {
  readonly service: string
  readonly config: Config
  readonly log: Log
  readonly metrics: Metrics
  readonly metricsHandler: MetricsHandler
  /** Aborts when the service is to end. */
  readonly signal: AbortSignal
  readonly now: () => string
  readonly store: () => EventStore & { readonly ping: () => Promise<void> }
  readonly storeUsers: () => EventStoreUsers
  readonly messaging: () => Promise<Messaging>
  /** Asked of other services, and answered for them. */
  readonly questions: () => Questions
  readonly ccxDb: () => ReadStore<ReadSchema>
  /** How far the read models have come. */
  readonly readPosition: () => ReadPosition
  readonly secrets: () => Promise<Secrets>
  readonly personal: () => Promise<PersonalData>
  /** Where mails are put to be sent by the notifier. */
  readonly outbox: () => Promise<Outbox>
}

/** A part of a service at work. */
export type Part = {
  readonly checks: Checks
  /** Resolves once the part has ended after `signal`; rejects when it cannot go on. */
  readonly ended: Promise<unknown>
}

const lazily = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}

/** Connections, and how to end those that were made, the last one first. */
const connections = (service: string, config: Config, log: Log, metrics: Metrics) => {
  const closers: (() => Promise<void>)[] = []
  const kept = <T extends { readonly close: () => Promise<void> }>(connection: T): T => {
    closers.unshift(connection.close)
    return connection
  }
  const ccxDb = lazily(() =>
    kept(
      connect<ReadSchema>(required(config.ccxDbUrl, 'CCX_DB_URL'), {
        name: service,
        onError: (err) => log.warn({ err }, 'a connection to CCX DB broke'),
      }),
    ),
  )
  const vault = lazily(async () => {
    const { db, pool } = ccxDb()
    await migrateToLatest(db, { schema: VAULT, migrations: vaultMigrations })
    return { pool, masterKey: await masterKey(required(config.masterKeyFile, 'MASTER_KEY_FILE')) }
  })
  const personal = lazily(async () => personalData(await vault()))
  return {
    store: lazily(() => kept(esdbEventStore({ connectionString: config.eventStoreUrl }))),
    storeUsers: lazily(() => kept(eventStoreUsers({ connectionString: config.eventStoreUrl }))),
    messaging: lazily(async () =>
      kept(
        await natsMessaging({
          url: config.natsUrl,
          ackWaitMs: config.orderAckWaitMs,
          name: service,
          onDeadLetter: ({ subject, because }) => {
            metrics.deadLetter(subject)
            log.error({ subject, because }, 'a message was put aside')
          },
        }),
      ),
    ),
    questions: lazily(() => {
      const onError = (err: unknown) => log.warn({ err }, 'a question could not be answered')
      return kept(natsQuestions({ url: config.natsUrl, name: service, onError }))
    }),
    ccxDb,
    readPosition: lazily(() => {
      const url = required(config.ccxDbUrl, 'CCX_DB_URL')
      const onError = (err: unknown) => log.warn({ err }, 'the position of the read models is not known')
      return kept(readPosition({ url, names: projections.map(({ name }) => name), onError }))
    }),
    secrets: lazily(async () => sealedSecrets(await vault())),
    personal,
    outbox: lazily(async () => {
      const now = () => new Date().toISOString()
      return outbox({ db: await mailDb(ccxDb().pool), personal: await personal(), now })
    }),
    close: async () => {
      for (const close of closers) await close()
    },
  }
}

/** How long what is left over, of a part that failed in its making, may hold the process once everything has stopped. */
const LINGER_MS = 5_000

/**
 * Runs a service: its parts, and its health beside them, until it is told to end or a part cannot go on.
 *
 * @param service the service's name, in logs, traces and metrics
 * @param parts each starts one part and resolves when that part is ready
 */
export const serve = async (service: string, parts: readonly ((base: Base) => Promise<Part>)[]): Promise<void> => {
  const config = readConfig()
  const log = createLog({ service, level: config.logLevel })
  const telemetry = startTelemetry({ service, otlpEndpoint: config.otlpEndpoint })
  const { metrics, metricsHandler, stop } = startMetrics({ service })
  const until = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => until.abort())
  const { close, ...connected } = connections(service, config, log, metrics)
  const now = () => new Date().toISOString()
  const base: Base = { service, config, log, metrics, metricsHandler, signal: until.signal, now, ...connected }

  const running: Part[] = []
  let health: { readonly close: () => Promise<void> } | undefined
  try {
    for (const part of parts) running.push(await part(base))
    const checks = Object.assign({}, ...running.map((part) => part.checks))
    health = await serveHealth({ port: config.healthPort, checks, metricsHandler })
    log.info({}, `${service} is up`)
    const ended = running.map((part) => part.ended)
    if (!until.signal.aborted) await Promise.race([once(until.signal, 'abort'), ...ended])
    if (!until.signal.aborted) throw new Error('a part of the service has ended by itself')
  } catch (err) {
    log.error({ err }, `${service} cannot go on`)
    process.exitCode = 1
  }
  // Down in the reverse order of up, so that nothing is asked of what has already gone.
  until.abort()
  await Promise.allSettled(running.map((part) => part.ended))
  await health?.close()
  await close().catch((err: unknown) => log.warn({ err }, 'a connection did not close'))
  log.info({}, `${service} has stopped`)
  await stop()
  await telemetry.stop()
  // Its supervisor begins it again when it ends, and not before.
  setTimeout(() => process.exit(), LINGER_MS).unref()
}
