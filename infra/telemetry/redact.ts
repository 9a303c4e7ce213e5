const SECRET_KEY =
  /pass(word|wd|phrase)?$|secret|token|authorization|cookie|credential|private|(master|data|api|signing)_?-?key|keypem/i
const DEPTH_MAX = 8
const ITEMS_MAX = 100
const TEXT_MAX = 8_000
const CAUSES_MAX = 8

const REDACTED = '[redacted]'

/** Text without what is secret by its form: credentials in addresses, private keys, bearer tokens. */
export const scrubbed = (text: string): string =>
  text
    .slice(0, TEXT_MAX)
    .replaceAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, REDACTED)
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']+@/gi, `$1${REDACTED}@`)
    .replaceAll(/\b(bearer|basic) +[a-z0-9+/_.=~-]{8,}/gi, `$1 ${REDACTED}`)

/** One error of a chain: only what is known to be harmless, because foreign errors carry rows and requests. */
const link = (error: Error): Record<string, unknown> => {
  const code = 'code' in error ? error.code : undefined
  return {
    type: error.name,
    message: scrubbed(error.message),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(error.stack === undefined ? {} : { stack: scrubbed(error.stack) }),
  }
}

/** An error for the log, its causes after it, outermost first. */
export const told = (error: Error): Record<string, unknown> => {
  const causes: unknown[] = []
  let cause = error.cause
  for (; cause instanceof Error && causes.length < CAUSES_MAX; cause = cause.cause) causes.push(link(cause))
  if (cause !== undefined && !(cause instanceof Error)) causes.push(redacted(cause))
  return { ...link(error), ...(causes.length === 0 ? {} : { causes }) }
}

/** A copy for the log: values under secret-looking keys are gone, errors told with their causes, nothing endless. */
export const redacted = (value: unknown, depth = 0): unknown => {
  if (typeof value === 'string') return scrubbed(value)
  if (typeof value === 'bigint') return value.toString()
  if (value === null || typeof value !== 'object') return value
  if (value instanceof Error) return told(value)
  if (value instanceof Date) return value
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (depth >= DEPTH_MAX) return '[deep]'
  if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((item) => redacted(item, depth + 1))
  if (value instanceof Set) return redacted([...value], depth)
  return redactedFields(value instanceof Map ? Object.fromEntries(value) : value, depth)
}

/** `redacted` of an object's members. */
export const redactedFields = (fields: object, depth = 0): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields)
      .slice(0, ITEMS_MAX)
      .map(([key, value]) => [key, SECRET_KEY.test(key) ? REDACTED : redacted(value, depth + 1)]),
  )
