/** A text file of the tree; the path is relative to its root, with `/`. */
export type SourceFile = { readonly path: string; readonly text: string }

/** Where a rule is broken, and what breaks it. */
export type Breach = { readonly path: string; readonly line: number; readonly what: string }

/** A rule over any list of files, so that it can be tried on the tree and on a planted breach alike. */
export type Rule = (files: readonly SourceFile[]) => readonly Breach[]

const PLAIN = /[^'"`/{}]+/y
const REGEX_BEFORE = /(^|[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|of|in|do|else))\s*$/
const REGEX = /\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/y
const COMMENT = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y
const QUOTED = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/y
const TEMPLATE_TEXT = /(?:\\[\s\S]|\$(?!\{)|[^\\`$])*/y

const blank = (text: string): string => text.replaceAll(/[^\n]/g, ' ')

/**
 * Blanks what is not code, keeping every character's place.
 *
 * @returns `code` without comments, and `bare` without the contents of strings, templates and regular expressions either
 */
export const strip = (text: string): { readonly code: string; readonly bare: string } => {
  let [code, bare, index] = ['', '', 0]
  /** How many braces are open in each `${}` that the place at hand lies in. */
  const braces: number[] = []
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = index
    return pattern.exec(text)?.[0]
  }
  const put = (part: string, asCode: string, asBare: string): void => {
    code += asCode
    bare += asBare
    index += part.length
  }
  const putTemplateText = (): void => {
    const part = take(TEMPLATE_TEXT) ?? ''
    put(part, part, blank(part))
    if (text.startsWith('${', index)) {
      put('${', '${', '${')
      braces.push(0)
    } else put('`', '`', '`')
  }
  while (index < text.length) {
    const plain = take(PLAIN)
    if (plain !== undefined) {
      put(plain, plain, plain)
      continue
    }
    const comment = take(COMMENT)
    const quoted = take(QUOTED)
    const regex = REGEX_BEFORE.test(bare.slice(-80)) ? take(REGEX) : undefined
    const char = text[index] ?? ''
    const depth = braces.length - 1
    if (comment !== undefined) put(comment, blank(comment), blank(comment))
    else if (quoted !== undefined) put(quoted, quoted, `${char}${blank(quoted.slice(2))}${char}`)
    else if (regex !== undefined) put(regex, regex, blank(regex))
    else {
      put(char, char, char)
      if (char === '`') putTemplateText()
      else if (char === '{' && depth >= 0) braces[depth] = (braces[depth] ?? 0) + 1
      else if (char === '}' && depth >= 0) {
        if (braces[depth] === 0) {
          braces.pop()
          putTemplateText()
        } else braces[depth] = (braces[depth] ?? 0) - 1
      }
    }
  }
  return { code, bare }
}

const lineOf = (text: string, index: number): number => text.slice(0, index).split('\n').length

/** Every place of `text` that matches, as breaches of the file. */
export const findAll = (
  path: string,
  text: string,
  pattern: RegExp,
  what: (match: RegExpExecArray) => string,
): readonly Breach[] =>
  [...text.matchAll(pattern)].map((match) => ({ path, line: lineOf(text, match.index), what: what(match) }))

export type Import = { readonly from: string; readonly line: number; readonly target: string }

/** Resolves `.` and `..` of a relative specifier against the importing file; a package's name stays as it is. */
export const resolvePath = (path: string, specifier: string): string => {
  if (!specifier.startsWith('.')) return specifier
  const parts = path.split('/').slice(0, -1)
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}

const SPECIFIER = /\b(?:from|import|import\s*\(|require\s*\()\s*(['"])([^'"\n]+)\1/g

/** What a file imports, types included, statically or not: paths from the root, or names of packages. */
export const importsOf = ({ path, text }: SourceFile): readonly Import[] => {
  const { code, bare } = strip(text)
  return [...code.matchAll(SPECIFIER)]
    // What merely reads like an import inside a string is blank in `bare`.
    .filter(({ index }) => bare[index] !== ' ')
    .map((match) => ({ from: path, line: lineOf(text, match.index), target: resolvePath(path, match[2] ?? '') }))
}
