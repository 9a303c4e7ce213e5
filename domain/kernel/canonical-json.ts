/**
 * The one JSON text of a value (RFC 8785): members sorted by the UTF-16 units of their names, no spaces. What JSON has no
 * place for is left out, as `JSON.stringify` does. Half a surrogate pair, which RFC 8785 refuses, is written as its
 * escape: a worker's remark may hold one, and has been written down.
 *
 * @param value what was, or could be, read from JSON
 */
export const canonicalJson = (value: unknown): string => {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`
  const members: Record<string, unknown> = { ...value }
  let text = ''
  for (const name of Object.keys(members).toSorted()) {
    const member = members[name]
    if (member !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${canonicalJson(member)}`
  }
  return `{${text}}`
}
