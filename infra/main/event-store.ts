import { readFileSync } from 'node:fs'
import { type Config, readConfig, readSecretFile, required } from '../config.ts'
import { eventStoreServer, type Security } from '../embedded/event-store/server.ts'
import { serveHealth } from '../telemetry/health.ts'
import { createLog } from '../telemetry/logger.ts'
import { startMetrics } from '../telemetry/metrics.ts'

/** The embedded event store, for a machine without EventStoreDB. */
const config = readConfig()
const log = createLog({ service: 'event-store', level: config.logLevel })
const { metricsHandler } = startMetrics({ service: 'event-store' })

/** A certificate, and the two users that there are from the beginning: the administrator and the control plane itself. */
const securityOf = ({ eventStore, eventStoreUrl }: Config): Security | undefined => {
  const { certificateFile, keyFile, adminPasswordFile } = eventStore
  if (certificateFile === undefined) return undefined
  const { username, password } = new URL(eventStoreUrl)
  const admin = readSecretFile(required(adminPasswordFile, 'EVENTSTORE_ADMIN_PASSWORD_FILE'))
  const groups = ['$admins']
  const own =
    username === ''
      ? []
      : [{ login: decodeURIComponent(username), password: decodeURIComponent(password), fullName: 'Control plane', groups }]
  return {
    certificatePem: readFileSync(certificateFile, 'utf8'),
    keyPem: readSecretFile(required(keyFile, 'EVENTSTORE_KEY_FILE')),
    users: [{ login: 'admin', password: admin, fullName: 'Administrator', groups }, ...own],
  }
}

const { hostname, port } = new URL(config.eventStoreUrl)
const security = securityOf(config)
const server = await eventStoreServer({
  host: config.eventStore.listenHost ?? hostname,
  port: Number(port),
  databaseUrl: required(config.eventStoreDbUrl, 'EVENTSTORE_DB_URL'),
  ...(config.eventStore.appendBytesMax === undefined ? {} : { appendBytesMax: config.eventStore.appendBytesMax }),
  ...(security === undefined ? {} : { security }),
})
// It stops by itself when it loses its database, so as long as it answers it can write.
const health = await serveHealth({ port: config.healthPort, checks: {}, metricsHandler })
log.info({ address: server.address, tls: security !== undefined }, 'event store is up')

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void server.close())
const fault = await server.stopped
await health.close()
if (fault === undefined) log.info({}, 'event store has stopped')
else {
  log.error({ err: fault }, 'event store had to stop')
  process.exitCode = 1
}
