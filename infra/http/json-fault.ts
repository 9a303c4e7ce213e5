/** What is wrong with a JSON text (RFC 8259), and where: characters from its beginning, the first being 0. */
export type JsonFault = { readonly at: number; readonly expected: string }

/** Deeper than any request of ours, and shallow enough for everyone who walks the value. */
export const DEPTH_MAX = 64

const SPACE = /[ \t\n\r]*/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

const isPlain = (char: string | undefined): boolean =>
  char !== undefined && char >= ' ' && char !== '"' && char !== '\\'

/** Whether brackets are nested more deeply than `DEPTH_MAX`. Brackets within strings do not count. */
export const isTooDeep = (text: string): boolean => {
  let depth = 0
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (quoted) {
      if (char === '\\') at++
      else if (char === '"') quoted = false
    } else if (char === '"') quoted = true
    else if (char === '{' || char === '[') {
      if (++depth > DEPTH_MAX) return true
    } else if (char === '}' || char === ']') depth--
  }
  return false
}

/**
 * Finds the first fault of a text that `JSON.parse` refuses, since its messages do not always name the place.
 *
 * @param text not nested too deeply
 * @returns undefined for a text without fault
 */
export const jsonFault = (text: string): JsonFault | undefined => {
  let at = 0
  const fault = (expected: string): JsonFault => ({ at, expected })

  const take = (token: RegExp): boolean => {
    token.lastIndex = at
    if (!token.test(text)) return false
    at = token.lastIndex
    return true
  }
  const takeChar = (char: string): boolean => {
    take(SPACE)
    if (text[at] !== char) return false
    at++
    return true
  }

  // By hand, since one expression for a whole string would try its parts in every combination when the quote is
  // missing.
  const takeString = (): JsonFault | undefined => {
    at++
    for (;;) {
      if (isPlain(text[at])) at++
      else if (!take(ESCAPE)) break
    }
    if (text[at] !== '"') return fault('a closing quote, or a character that a string may hold,')
    at++
    return undefined
  }

  const members = (close: string, member: () => JsonFault | undefined): JsonFault | undefined => {
    if (takeChar(close)) return undefined
    for (;;) {
      const inner = member()
      if (inner !== undefined) return inner
      if (takeChar(close)) return undefined
      if (!takeChar(',')) return fault(`"," or "${close}"`)
    }
  }
  const member = (): JsonFault | undefined => {
    take(SPACE)
    if (text[at] !== '"') return fault('a name in double quotes')
    const inner = takeString()
    if (inner !== undefined) return inner
    return takeChar(':') ? value() : fault('":"')
  }
  const value = (): JsonFault | undefined => {
    if (takeChar('{')) return members('}', member)
    if (takeChar('[')) return members(']', value)
    if (text[at] === '"') return takeString()
    return take(SCALAR) ? undefined : fault('a value')
  }

  const found = value()
  if (found !== undefined) return found
  take(SPACE)
  return at < text.length ? fault('nothing more') : undefined
}
