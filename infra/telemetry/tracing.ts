import { type Attributes, context, propagation, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import type { Carrier } from '../messaging/messaging.ts'
import { scrubbed } from './redact.ts'

const EXPORT_DELAY_MS = 1_000
const EXPORT_TIMEOUT_MS = 3_000

/**
 * Makes traces real for this process; before it is called every span is a no-op. Trace ids go into events, messages and
 * the log in any case; spans leave the process only when there is somewhere to send them.
 *
 * @param options.otlpEndpoint the base address of an OTLP/HTTP collector, without `/v1/traces`
 * @returns how to end it: sends what is left
 */
export const startTelemetry = ({ service, otlpEndpoint }: {
  readonly service: string
  readonly otlpEndpoint?: string | undefined
}): { readonly stop: () => Promise<void> } => {
  const exporter =
    otlpEndpoint === undefined
      ? undefined
      : new OTLPTraceExporter({
          url: `${otlpEndpoint.replace(/\/+$/, '')}/v1/traces`,
          timeoutMillis: EXPORT_TIMEOUT_MS,
        })
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'service.namespace': 'ccx' }),
    spanProcessors:
      exporter === undefined ? [] : [new BatchSpanProcessor(exporter, { scheduledDelayMillis: EXPORT_DELAY_MS })],
  })
  provider.register()
  return {
    stop: async () => {
      // A collector that is gone must not keep a service from ending.
      await provider.shutdown().catch(() => undefined)
      trace.disable()
      context.disable()
      propagation.disable()
    },
  }
}

/** The running trace, to be carried beside a message; empty outside of one. */
export const carrierOf = (): Carrier => {
  const carrier: Record<string, string> = {}
  propagation.inject(context.active(), carrier)
  return carrier
}

/** The running trace for an event's metadata (W3C trace context); undefined outside of one. */
export const traceparent = (): string | undefined => carrierOf()['traceparent']

/** The carrier that an event's metadata holds. */
export const carrierFrom = (metadata: { readonly traceparent?: string | undefined }): Carrier =>
  metadata.traceparent === undefined ? {} : { traceparent: metadata.traceparent }

const failed = (span: Span, error: unknown): void => {
  const message = error instanceof Error ? `${error.name}: ${scrubbed(error.message)}` : 'not an error'
  span.setStatus({ code: SpanStatusCode.ERROR, message })
}

/**
 * Runs `fn` as a span of the trace that `carrier` names, or of the running one when it names none.
 *
 * @param name low in cardinality: what is done, without ids
 * @param attributes ids and the like
 * @returns what `fn` returns; what it throws is noted on the span and thrown on
 */
export const withCarrier = <T>(
  carrier: Carrier,
  name: string,
  attributes: Attributes,
  fn: () => Promise<T>,
): Promise<T> => {
  const parent = propagation.extract(context.active(), carrier)
  const kind = carrier['traceparent'] === undefined ? SpanKind.INTERNAL : SpanKind.CONSUMER
  return trace.getTracer('ccx').startActiveSpan(name, { attributes, kind }, parent, async (span) => {
    try {
      return await fn()
    } catch (error) {
      failed(span, error)
      throw error
    } finally {
      span.end()
    }
  })
}

/** Runs `fn` as a span of the running trace, or as the root of a new one. */
export const withSpan = <T>(name: string, attributes: Attributes, fn: () => Promise<T>): Promise<T> =>
  withCarrier({}, name, attributes, fn)
