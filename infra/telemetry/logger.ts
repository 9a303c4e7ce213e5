import { trace } from '@opentelemetry/api'
import { pino, type DestinationStream, type Logger } from 'pino'
import { redactedFields, scrubbed } from './redact.ts'

type Line = (fields: object, message: string) => void

/** Where a service says what it does: a sentence that never varies, and ids as fields. Errors go under `err`. */
export type Log = {
  readonly debug: Line
  readonly info: Line
  readonly warn: Line
  readonly error: Line
  /** The same, with more fields on every line. */
  readonly child: (fields: object) => Log
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

// So that a line can be found from its trace, and the other way round.
const traceIds = (): Record<string, string> => {
  const span = trace.getActiveSpan()?.spanContext()
  return span === undefined ? {} : { traceId: span.traceId, spanId: span.spanId }
}

const over = (logger: Logger): Log => {
  const line = (level: 'debug' | 'info' | 'warn' | 'error'): Line => (fields, message) => {
    if (logger.isLevelEnabled(level)) logger[level](redactedFields(fields), scrubbed(message))
  }
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    child: (fields) => over(logger.child(redactedFields(fields))),
  }
}

/**
 * A log of JSON lines. Values under keys that look secret are never written, at any depth; an error under `err` is
 * written with its chain of causes.
 *
 * @param options.destination where the lines go; default standard output
 */
export const createLog = ({ service, level = 'info', destination }: {
  readonly service: string
  readonly level?: LogLevel
  readonly destination?: DestinationStream
}): Log => {
  const options = {
    level,
    base: { service },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    // `redactedFields` has told errors already; pino's own serializer would take them apart again.
    serializers: { err: (value: unknown) => value },
    mixin: traceIds,
  }
  return over(destination === undefined ? pino(options) : pino(options, destination))
}
