import { type Breach, type Rule, findAll, importsOf, resolvePath, strip } from './source.ts'
import { isCode, isTest } from './tree.ts'

const IMPURE: readonly (readonly [RegExp, string])[] = [
  [/\bDate\s*\.\s*now\b/g, 'there is no clock here: take `now` from the command'],
  [/\bnew\s+Date\s*(?:\(\s*\)|(?!\s*\())/g, 'there is no clock here: take `now` from the command'],
  [/(?<!\bnew\s)(?<![.\w])Date\s*\(/g, 'there is no clock here: take `now` from the command'],
  [/\bMath\s*\.\s*random\b/g, 'there are no dice here: take the value from the command'],
  [/\b(?:async|await)\b/g, 'nothing waits here: let the shell around it do so'],
  [/\b(?:process|globalThis|performance|crypto|fetch|console|setTimeout|setInterval|setImmediate)\b(?!\s*[:?])/g,
    'there is no world here: let it come in as data'],
]

/** The domain and the sagas give the same answer to the same question, always and at once. */
export const coreIsPure: Rule = (files) =>
  files
    .filter((file) => isCode(file) && /^(domain|sagas)\//.test(file.path))
    .flatMap(({ path, text }) =>
      IMPURE.flatMap(([pattern, because]) =>
        findAll(path, strip(text).bare, pattern, ([found]) => `${found.trim()}: ${because}`),
      ),
    )

const ENVIRONMENT = /\bprocess\s*\.\s*env\b|\benv\b[^=;\n]*\}\s*(?:=\s*process\b|from\b)/g
const ENVIRONMENT_READERS = ['infra/config.ts', 'tests/support/environment.ts']

/** The environment is read in one place, so that a bad one is one message. */
export const environmentIsReadOnce: Rule = (files) =>
  files
    .filter((file) => isCode(file) && !ENVIRONMENT_READERS.includes(file.path))
    .flatMap(({ path, text }) =>
      findAll(path, strip(text).bare, ENVIRONMENT, () => 'reads the environment'),
    )

const LINES_MAX = 300
const TEST_LINES_MAX = 400
const COLUMNS_MAX = 130

/** A file that outgrows this is two ideas. */
export const filesAreShort: Rule = (files) =>
  files.filter(isCode).flatMap((file): readonly Breach[] => {
    const lines = file.text.trimEnd().split('\n')
    const linesMax = isTest(file) ? TEST_LINES_MAX : LINES_MAX
    const long = lines.flatMap((line, index) =>
      line.length > COLUMNS_MAX ? [{ path: file.path, line: index + 1, what: `has ${line.length} columns` }] : [],
    )
    return lines.length > linesMax ? [{ path: file.path, line: lines.length, what: `has ${lines.length} lines` }, ...long] : long
  })

/** A thing lives beside its user until a second one gives it a name; these are no names. */
export const foldersHaveNames: Rule = (files) =>
  files.flatMap(({ path }) =>
    /(^|\/)(utils?|helpers?|common|services?|misc)(\/|\.ts$)/.test(path) ? [{ path, line: 1, what: 'is named for nothing' }] : [],
  )

/** A uvu file that does not run its suite passes without having tested anything. */
export const suitesRun: Rule = (files) =>
  files
    .filter(({ path }) => path.endsWith('.test.ts'))
    .flatMap(({ path, text }) => {
      const { bare } = strip(text)
      const suites = [...bare.matchAll(/\b(\w+)\s*=\s*suite\s*(?:<[^(]*>)?\(/g)].map(([, name]) => name ?? '')
      const unrun = suites.filter((name) => !new RegExp(`\\b${name}\\.run\\(\\)`).test(bare))
      const line = text.split('\n').length
      if (unrun.length > 0) return [{ path, line, what: `never runs the suite ${unrun.join()}` }]
      return suites.length > 0 || /\.run\(\)\s*$/.test(bare) ? [] : [{ path, line, what: 'runs no suite' }]
    })

const SILENCERS: readonly (readonly [RegExp, string])[] = [
  [/\bas\s+any\b|:\s*any\b|<any\b|\bany\[\]/g, 'says any'],
  [/\bas\s+unknown\s+as\b/g, 'casts through unknown'],
]

/** The compiler is answered, not silenced; and no test is left out. */
export const nothingIsSilenced: Rule = (files) =>
  files.filter(isCode).flatMap(({ path, text }) => {
    const { bare, code } = strip(text)
    const skips = isTest({ path, text }) ? findAll(path, bare, /\.(?:only|skip)\s*\(/g, () => 'leaves tests out') : []
    const silenced = SILENCERS.flatMap(([pattern, what]) => findAll(path, bare, pattern, () => what))
    // It takes effect in a comment; what the stripped code still has is but a text about it.
    const comments = text.replaceAll(/[^\n]/g, (char, index: number) => (code[index] === char ? ' ' : char))
    const directives = findAll(path, comments, /@ts-(?:ignore|nocheck|expect-error)/g, () => 'silences the compiler')
    return [...silenced, ...skips, ...directives]
  })

/** A test waits on what must become true (`until`), never for a while. */
export const testsDoNotSleep: Rule = (files) =>
  files
    .filter((file) => isCode(file) && isTest(file) && !file.path.startsWith('tests/support/'))
    .flatMap((file) => [
      ...findAll(file.path, strip(file.text).bare, /\bset(?:Timeout|Interval)\s*\(|\bAtomics\.wait\b/g, () => 'sleeps'),
      ...importsOf(file)
        .filter(({ target }) => /^(node:)?timers/.test(target))
        .map(({ from, line }) => ({ path: from, line, what: 'imports a way to sleep' })),
    ])

/** A registered engine or provider, and the only folder that may name it. */
export type Named = { readonly name: string; readonly folder: string }

/** Nobody asks which engine or provider it is; so nobody needs its name. */
export const namesStayAtHome =
  (names: readonly Named[]): Rule =>
  (files) =>
    files
      .filter((file) => isCode(file) && !isTest(file) && !/^(docs|k8s)\//.test(file.path))
      .flatMap(({ path, text }) => {
        const { code } = strip(text)
        return names
          .filter(({ folder }) => !path.startsWith(folder))
          .flatMap(({ name }) => findAll(path, code, new RegExp(`(['"\`])${RegExp.escape(name)}\\1`, 'g'), () => `names ${name}`))
      })

const LINK = /\[[^\]\n]*\]\(([^)\s]+)\)|^\[[^\]\n]+\]:\s*(\S+)/gm

/** A link leads to a file or folder of the tree, and its fragment to a heading of that page. */
export const linksResolve =
  (paths: readonly string[]): Rule =>
  (files) => {
    const pages = new Map(files.map(({ path, text }) => [path, text]))
    const exists = (path: string): boolean => path === '' || paths.some((one) => one === path || one.startsWith(`${path}/`))
    return files
      .filter(({ path }) => path.endsWith('.md'))
      .flatMap(({ path, text }) => {
        const prose = text.replaceAll(/^```[\s\S]*?^```/gm, (fence) => fence.replaceAll(/[^\n]/g, ' '))
        return findAll(path, prose, LINK, (match) => match[1] ?? match[2] ?? '').filter(({ what }) => {
          if (/^[a-z]+:/.test(what)) return false
          const [file = '', fragment] = what.split('#')
          const target = file === '' ? path : resolvePath(path, `./${file}`).replace(/\/$/, '')
          const page = pages.get(target)
          return !exists(target) || (fragment !== undefined && page !== undefined && !headings(page).includes(fragment))
        })
      })
      .map((breach) => ({ ...breach, what: `links to ${breach.what}, which is not there` }))
  }

/** Where a link can lead within a page: its own anchors, and headings as the usual renderers name them. */
const headings = (page: string): readonly string[] => {
  const anchors = [...page.matchAll(/\bid="([^"]+)"/g)].map(([, id = '']) => id)
  const named = [...page.matchAll(/^#+\s+(.*)$/gm)].map(([, heading = '']) =>
    heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').trim().replaceAll(/\s/g, '-'),
  )
  return [...anchors, ...named]
}
