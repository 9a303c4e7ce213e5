/**
 * The one JSON text of a value (RFC 8785): members sorted by the UTF-16 units of their names, no spaces. What JSON has no
 * place for is left out, as `JSON.stringify` does. Half a surrogate pair, which RFC 8785 refuses, is written as its
 * escape: a worker's remark may hold one, and has been written down.
 *
 * @param value what was, or could be, read from JSON
 */
export const canonicalJson = (value: unknown): string => {
  const inOrder = ordered(value)
  return inOrder === UNORDERED ? written(value) : (JSON.stringify(inOrder) ?? 'null')
}

type Members = Readonly<Record<string, unknown>>

const hasMembers = (value: object): value is Members => !Array.isArray(value)

/** Of a value that no object of the platform keeps in order. */
const UNORDERED = Symbol('unordered')

// The platform puts such names first whatever the order they were given in, or takes them for something else.
const UNRULY = /^(?:\d|__proto__$)/

const compare = (a: string, b: string): number => (a < b ? -1 : 1)

/** The value with all members in order, for the platform to write, which is several times as fast as doing it here. */
const ordered = (value: unknown): unknown => {
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) {
    const elements = value.map(ordered)
    return elements.includes(UNORDERED) ? UNORDERED : elements
  }
  if (!hasMembers(value)) return value
  const copy: Record<string, unknown> = {}
  for (const name of Object.keys(value).toSorted(compare)) {
    const member = ordered(value[name])
    if (member === UNORDERED || UNRULY.test(name)) return UNORDERED
    copy[name] = member
  }
  return copy
}

const written = (value: unknown): string => {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(written).join()}]`
  if (!hasMembers(value)) return '{}'
  const members = Object.keys(value)
    .toSorted(compare)
    .filter((name) => value[name] !== undefined)
    .map((name) => `${JSON.stringify(name)}:${written(value[name])}`)
  return `{${members.join()}}`
}
