import type { IncomingMessage, ServerResponse } from 'node:http'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { MeterProvider } from '@opentelemetry/sdk-metrics'

/** What is counted. Labels are low in cardinality: never an id. */
export type Metrics = {
  /** A command was decided; `outcome` is `accepted`, `unchanged`, or the code of the refusal. */
  readonly command: (type: string, outcome: string, seconds: number) => void
  /** An order was answered by a worker. */
  readonly order: (subject: string, result: 'succeeded' | 'failed', seconds: number) => void
  /** From an outcome's arrival at the runner to the next order's departure. */
  readonly hop: (seconds: number) => void
  readonly deadLetter: (subject: string) => void
  /** How far a projection is, and how old the last event that it took was then. */
  readonly projector: (projection: string, at: { readonly position: bigint; readonly lagSeconds: number }) => void
  /** A request was answered; `route` is the pattern, not the path. */
  readonly request: (method: string, route: string, status: number, seconds: number) => void
  /** A webhook's request was answered, or came to nothing. */
  readonly webhook: (outcome: 'delivered' | 'failed' | 'dead', seconds: number) => void
  /** A mail was tried. */
  readonly mail: (outcome: 'sent' | 'failed' | 'dead') => void
  /** A node was looked at. */
  readonly look: (result: 'answered' | 'silent', seconds: number) => void
  /** How many datastores this controller watches. */
  readonly watched: (datastores: number) => void
  /** The replicas of a primary that did not answer were asked about it. */
  readonly suspicion: () => void
  /** A primary was told to be lost, so that a failover may follow. */
  readonly lossReported: () => void
}

export type MetricsHandler = (request: IncomingMessage, response: ServerResponse) => void

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

const instruments = (provider: MeterProvider): Metrics => {
  const meter = provider.getMeter('ccx')
  const seconds = (name: string, description: string) =>
    meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries: SECONDS } })
  const commands = seconds('ccx_command_seconds', 'Commands decided, by type and outcome')
  const orders = seconds('ccx_order_seconds', 'Orders answered, by subject and result')
  const hops = seconds('ccx_hop_seconds', 'From an outcome to the next order')
  const deadLetters = meter.createCounter('ccx_dead_letters', { description: 'Messages put aside, by subject' })
  const position = meter.createGauge('ccx_projector_position', { description: 'Commit position of each projection' })
  const lag = meter.createGauge('ccx_projector_lag_seconds', { description: 'Age of the last event when it was taken' })
  const requests = seconds('ccx_http_request_seconds', 'Requests answered, by method, route and status')
  const webhooks = seconds('ccx_webhook_seconds', 'Requests of webhooks, by outcome')
  const looks = seconds('ccx_watch_look_seconds', 'Looks at nodes, by result')
  const datastores = meter.createGauge('ccx_watch_datastores', { description: 'Datastores that this controller watches' })
  const suspicions = meter.createCounter('ccx_watch_suspicions', { description: 'Primaries that were asked about' })
  const losses = meter.createCounter('ccx_watch_losses_reported', { description: 'Primaries that were told to be lost' })
  const mails = meter.createCounter('ccx_mails', { description: 'Attempts to send a mail, by outcome' })
  return {
    command: (type, outcome, took) => commands.record(took, { type, outcome }),
    order: (subject, result, took) => orders.record(took, { subject, result }),
    hop: (took) => hops.record(took),
    deadLetter: (subject) => deadLetters.add(1, { subject }),
    projector: (projection, at) => {
      position.record(Number(at.position), { projection })
      lag.record(at.lagSeconds, { projection })
    },
    request: (method, route, status, took) => requests.record(took, { method, route, status: String(status) }),
    webhook: (outcome, took) => webhooks.record(took, { outcome }),
    mail: (outcome) => mails.add(1, { outcome }),
    look: (result, took) => looks.record(took, { result }),
    watched: (count) => datastores.record(count),
    suspicion: () => suspicions.add(1),
    lossReported: () => losses.add(1),
  }
}

/**
 * Begins to count for this process.
 *
 * @returns what to count with, and a request handler that answers in Prometheus's text format
 */
export const startMetrics = ({ service }: { readonly service: string }): {
  readonly metrics: Metrics
  readonly metricsHandler: MetricsHandler
  readonly stop: () => Promise<void>
} => {
  const exporter = new PrometheusExporter({ preventServerStart: true })
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'service.namespace': 'ccx' }),
    readers: [exporter],
  })
  return {
    metrics: instruments(provider),
    metricsHandler: (request, response) => exporter.getMetricsRequestHandler(request, response),
    stop: () => provider.shutdown(),
  }
}
