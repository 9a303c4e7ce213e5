import { type Import, type Rule, importsOf } from './source.ts'
import { isCode, isTest } from './tree.ts'

/** Whom a folder may import, beside itself. */
type Layer = { readonly folder: string; readonly may: readonly RegExp[]; readonly because: string }

const layers: readonly Layer[] = [
  { folder: 'domain/', may: [], because: 'the domain knows nobody: let it come in as data' },
  { folder: 'sagas/', may: [/^domain\//], because: 'a saga says what follows from what, and only its orders act' },
  {
    folder: 'projections/',
    may: [/^domain\//, /^(kysely|uuid|zod)$/],
    because: 'a projection turns events into rows; where events come from is not its business',
  },
  {
    folder: 'command-handlers/',
    may: [/^domain\//, /^(koa|@koa\/router|zod|uuid|node:crypto)$/],
    because: 'adapters arrive as arguments',
  },
  {
    folder: 'read-api/',
    may: [
      /^projections\/(?!.*(migrations|tables)\.ts$)/,
      /^domain\/(audit|catalogue|kernel|usage)\//,
      /^(kysely|koa|@koa\/router|zod)$/,
    ],
    because: 'a query selects, folds and shapes; it never decides, and makes no table',
  },
]

const breach = ({ from, line, target }: Import, because: string) => ({
  path: from,
  line,
  what: `imports ${target}: ${because}`,
})

/** Inward: `domain` ← `sagas`, `command-handlers`, `projections` ← `infra`; `read-api` → the schema and the folds. */
export const layersPointInward: Rule = (files) =>
  layers.flatMap(({ folder, may, because }) =>
    files
      .filter((file) => isCode(file) && file.path.startsWith(folder))
      .flatMap(importsOf)
      .filter(({ target }) => !target.startsWith(folder) && !may.some((pattern) => pattern.test(target)))
      .map((one) => breach(one, because)),
  )

/** Nobody but a main or a test imports a main: it is the only place that knows everyone. */
export const mainsAreNotImported: Rule = (files) =>
  files
    .filter((file) => isCode(file) && !isTest(file) && !file.path.startsWith('infra/main/'))
    .flatMap(importsOf)
    .filter(({ target }) => target.startsWith('infra/main/'))
    .map((one) => breach(one, 'a main is imported by nobody'))

/** Nothing that runs in production leans on the tests. */
export const testsAreNotImported: Rule = (files) =>
  files
    .filter((file) => isCode(file) && !isTest(file))
    .flatMap(importsOf)
    .filter(({ target }) => target.startsWith('tests/'))
    .map((one) => breach(one, 'nothing in production leans on a test'))

/** A kind of plug-in: its folder, the port it implements, and what else its folders share. */
type PlugIns = { readonly folder: string; readonly port: string; readonly shared: readonly string[] }

const plugIns: readonly PlugIns[] = [
  { folder: 'infra/engines/', port: 'engine.ts', shared: [] },
  { folder: 'infra/providers/', port: 'provider.ts', shared: ['process-host/'] },
]

const NO_CLIENT_OF_OURS = /^(pg|kysely|nats|mysql2|koa|@koa\/|@eventstore\/|@opentelemetry\/)/

const folderOf = ({ folder }: PlugIns, path: string): string | undefined =>
  path.startsWith(folder) && path.slice(folder.length).includes('/')
    ? `${folder}${path.slice(folder.length).split('/')[0]}/`
    : undefined

/** What an engine or a provider imports: itself, its port, the host, what its kind shares, Node, and its own packages. */
export const plugInsKnowOnlyTheirPort: Rule = (files) =>
  plugIns.flatMap((kind) =>
    files.filter(isCode).flatMap((file) => {
      const own = folderOf(kind, file.path)
      if (own === undefined) return []
      const shared = kind.shared.map((name) => `${kind.folder}${name}`)
      const may = [own, `${kind.folder}${kind.port}`, 'infra/host.ts', ...(shared.includes(own) ? [] : shared)]
      return importsOf(file)
        .filter(({ target }) =>
          target.includes('.ts') ? !may.some((path) => target.startsWith(path)) : NO_CLIENT_OF_OURS.test(target),
        )
        .map((one) => breach(one, `a folder of ${kind.folder} knows its port and its host, and nobody else`))
    }),
  )

/** Who imports an engine or a provider: the registry beside it; and the registry only a main. */
export const plugInsAreKnownToTheirRegistry: Rule = (files) =>
  plugIns.flatMap((kind) => {
    const registry = `${kind.folder}index.ts`
    return files
      .filter((file) => isCode(file) && !isTest(file))
      .flatMap(importsOf)
      .filter(({ from, target }) => {
        if (target === registry) return !from.startsWith('infra/main/')
        const imported = folderOf(kind, target)
        const mayKnow = from === registry || from.startsWith('infra/main/') || folderOf(kind, from) !== undefined
        return imported !== undefined && !mayKnow
      })
      .map((one) => breach(one, 'engines and providers are known to their registry, and that to a main'))
  })
