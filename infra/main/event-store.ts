import { readConfig, required } from '../config.ts'
import { eventStoreServer } from '../embedded/event-store/server.ts'
import { serveHealth } from '../telemetry/health.ts'
import { createLog } from '../telemetry/logger.ts'
import { startMetrics } from '../telemetry/metrics.ts'

/** The embedded event store, for a machine without EventStoreDB. */
const config = readConfig()
const log = createLog({ service: 'event-store', level: config.logLevel })
const { metricsHandler } = startMetrics({ service: 'event-store' })

const { hostname, port } = new URL(config.eventStoreUrl)
const server = await eventStoreServer({
  host: hostname,
  port: Number(port),
  databaseUrl: required(config.eventStoreDbUrl, 'EVENTSTORE_DB_URL'),
})
// It stops by itself when it loses its database, so as long as it answers it can write.
const health = await serveHealth({ port: config.healthPort, checks: {}, metricsHandler })
log.info({ address: server.address }, 'event store is up')

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void server.close())
const fault = await server.stopped
await health.close()
if (fault === undefined) log.info({}, 'event store has stopped')
else {
  log.error({ err: fault }, 'event store had to stop')
  process.exitCode = 1
}
