import { once } from 'node:events'
import { readConfig, readSecretFile, required } from '../config.ts'
import { tsigKey } from '../dns/tsig.ts'
import { dnsServer } from '../embedded/dns/index.ts'
import { serveHealth } from '../telemetry/health.ts'
import { createLog } from '../telemetry/logger.ts'
import { startMetrics } from '../telemetry/metrics.ts'

/** The embedded name server, for a machine without one that takes updates. */
const { dns, healthPort, logLevel } = readConfig()
const log = createLog({ service: 'dns', level: logLevel })
const { metricsHandler } = startMetrics({ service: 'dns' })

const [host = '', port] = dns.server.split(':')
const server = await dnsServer({
  host,
  port: Number(port),
  zone: dns.domain,
  key: tsigKey(dns.tsigName, readSecretFile(required(dns.tsigSecretFile, 'DNS_TSIG_SECRET_FILE'))),
  file: required(dns.zoneFile, 'DNS_ZONE_FILE'),
})
const health = await serveHealth({ port: healthPort, checks: {}, metricsHandler })
log.info({ host, port: server.port, zone: dns.domain }, 'name server is up')

const ending = new EventTarget()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ending.dispatchEvent(new Event('end')))
await once(ending, 'end')
await health.close()
await server.close()
log.info({}, 'name server has stopped')
