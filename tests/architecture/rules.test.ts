import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { engines } from '../../infra/engines/index.ts'
import { providers } from '../../infra/providers/index.ts'
import {
  layersPointInward,
  mainsAreNotImported,
  plugInsAreKnownToTheirRegistry,
  plugInsKnowOnlyTheirPort,
  testsAreNotImported,
} from './import-rules.ts'
import type { Breach, Rule, SourceFile } from './source.ts'
import {
  coreIsPure,
  environmentIsReadOnce,
  filesAreShort,
  foldersHaveNames,
  linksResolve,
  namesStayAtHome,
  nothingIsSilenced,
  suitesRun,
  testsDoNotSleep,
} from './text-rules.ts'
import { readTree, treePaths } from './tree.ts'

const test = suite('the architecture')

const tree = await readTree()
const paths = await treePaths()

const named = [
  ...engines.map(({ name }) => ({ name, folder: `infra/engines/${name}/` })),
  // Only their names are asked for; none of them looks at its settings before it is used.
  ...providers({ machinesDir: '/nowhere', binDirs: [], libraryPaths: [], user: undefined, ports: [1] }).map(({ name }) => ({
    name,
    folder: `infra/providers/${name}/`,
  })),
]

const file = (path: string, text: string): SourceFile => ({ path, text })
const importing = (from: string, specifier: string) => file(from, `import { x } from '${specifier}'`)

type Entry = {
  readonly name: string
  readonly rule: Rule
  /** Each of these alone breaks the rule. */
  readonly breaches: readonly SourceFile[]
  /** None of these does. */
  readonly sound: readonly SourceFile[]
}

const ENGINE = 'infra/engines/alpha'
const PROVIDER = 'infra/providers/here'

const entries: readonly Entry[] = [
  {
    name: 'dependencies point inward',
    rule: layersPointInward,
    breaches: [
      importing('domain/job/x.ts', 'zod'),
      importing('domain/job/x.ts', 'node:crypto'),
      importing('domain/job/x.ts', '../../sagas/index.ts'),
      file('domain/job/x.ts', "import type { Host } from '../../infra/host.ts'"),
      file('domain/job/x.ts', "export * from '../../infra/host.ts'"),
      file('domain/job/x.ts', "import '../../infra/host.ts'"),
      file('domain/job/x.ts', "const host = import('../../infra/host.ts')"),
      file('domain/job/x.ts', "import {\n  a,\n  b,\n} from \"zod\""),
      file('domain/job/x.ts', "type Host = import('../../infra/host.ts').Host"),
      importing('sagas/x.ts', '../projections/schema.ts'),
      importing('sagas/x.ts', 'uuid'),
      importing('projections/x.ts', '../infra/read-store/connect.ts'),
      importing('projections/x.ts', 'pg'),
      importing('command-handlers/x.ts', '../infra/http/app.ts'),
      importing('command-handlers/x.ts', '../projections/schema.ts'),
      importing('command-handlers/x.ts', 'node:fs'),
      importing('read-api/x.ts', '../domain/datastore/datastore.ts'),
      importing('read-api/x.ts', '../projections/tables.ts'),
    ],
    sound: [
      importing('domain/job/x.ts', '../kernel/time.ts'),
      file('domain/job/x.ts', "// import { x } from 'zod'\nconst text = \"import { x } from 'zod'\""),
      importing('sagas/x.ts', '../domain/job/saga.ts'),
      importing('projections/x.ts', 'kysely'),
      importing('command-handlers/x.ts', 'zod'),
      importing('read-api/x.ts', '../projections/datastores.ts'),
      importing('infra/http/x.ts', '../../domain/kernel/time.ts'),
    ],
  },
  {
    name: 'a main is imported by nobody',
    rule: mainsAreNotImported,
    breaches: [importing('infra/http/x.ts', '../main/ccx.ts'), importing('read-api/x.ts', '../infra/main/ccx.ts')],
    sound: [importing('infra/main/x.ts', './ccx.ts'), importing('tests/e2e/x.ts', '../../infra/main/ccx.ts')],
  },
  {
    name: 'production leans on no test',
    rule: testsAreNotImported,
    breaches: [importing('infra/http/x.ts', '../../tests/support/until.ts')],
    sound: [importing('tests/api/x.ts', '../support/until.ts')],
  },
  {
    name: 'an engine knows no provider, a provider no engine, and neither knows our clients',
    rule: plugInsKnowOnlyTheirPort,
    breaches: [
      importing(`${ENGINE}/join.ts`, '../beta/join.ts'),
      importing(`${ENGINE}/join.ts`, '../../providers/provider.ts'),
      importing(`${ENGINE}/join.ts`, '../../providers/process-host/run.ts'),
      importing(`${ENGINE}/join.ts`, '../../../domain/job/orders.ts'),
      importing(`${ENGINE}/join.ts`, 'pg'),
      importing(`${PROVIDER}/index.ts`, '../there/index.ts'),
      importing(`${PROVIDER}/index.ts`, '../../engines/engine.ts'),
      importing('infra/providers/process-host/run.ts', '../here/index.ts'),
    ],
    sound: [
      importing(`${ENGINE}/join.ts`, './psql.ts'),
      importing(`${ENGINE}/join.ts`, '../engine.ts'),
      importing(`${ENGINE}/join.ts`, '../../host.ts'),
      importing(`${ENGINE}/join.ts`, 'node:crypto'),
      importing(`${PROVIDER}/index.ts`, '../process-host/run.ts'),
      importing(`${PROVIDER}/index.ts`, '../provider.ts'),
      importing(`${PROVIDER}/index.ts`, 'some-cloud-sdk'),
    ],
  },
  {
    name: 'engines and providers are known to their registry, and that to a main',
    rule: plugInsAreKnownToTheirRegistry,
    breaches: [
      importing('infra/controller/x.ts', '../engines/alpha/index.ts'),
      importing('infra/controller/x.ts', '../engines/index.ts'),
      importing('infra/deployer/x.ts', '../providers/process-host/run.ts'),
      importing('command-handlers/x.ts', '../infra/providers/index.ts'),
    ],
    sound: [
      importing('infra/engines/index.ts', './alpha/index.ts'),
      importing('infra/main/x.ts', '../engines/index.ts'),
      importing('infra/controller/x.ts', '../engines/engine.ts'),
      importing('tests/engines/x.ts', '../../infra/engines/alpha/index.ts'),
    ],
  },
  {
    name: 'the domain and the sagas have no clock, no dice and no waiting',
    rule: coreIsPure,
    breaches: [
      'const now = Date.now()', 'const now = new Date()', 'const now = new Date', 'const now = Date()',
      'const p = Math . random()', 'const f = async () => 1', 'await f()', 'const home = process.env',
      'setTimeout(f, 1)', 'const id = crypto.randomUUID()', 'const text = `${Date.now()}`',
      'const a = 1 / 2; const now = Date.now() / 1',
    ].flatMap((text) => [file('domain/job/x.ts', text), file('sagas/x.ts', text)]),
    sound: [
      file('domain/job/x.ts', 'const later = (at: string) => new Date(Date.parse(at)).toISOString()'),
      file('domain/job/x.ts', '// Date.now() is not asked\nconst because = `await the process, ${1}`'),
      file('domain/job/x.ts', "const pattern = /'/; const because = 'Date.now()'"),
      file('infra/x.ts', 'const now = Date.now()'),
    ],
  },
  {
    name: 'the environment is read in one place',
    rule: environmentIsReadOnce,
    breaches: [
      file('infra/http/x.ts', "const port = process.env['PORT']"),
      file('tests/api/x.ts', 'const { PORT } = process . env'),
      file('infra/http/x.ts', 'const { env } = process'),
      file('infra/http/x.ts', "import { env } from 'node:process'"),
    ],
    sound: [
      file('infra/config.ts', 'readConfig(process.env)'),
      file('infra/http/x.ts', '// not from process.env\nconst pid = process.pid'),
    ],
  },
  {
    name: 'files and lines are short',
    rule: filesAreShort,
    breaches: [
      file('infra/x.ts', 'x\n'.repeat(301)),
      file('tests/x.test.ts', 'x\n'.repeat(401)),
      file('infra/x.ts', 'x'.repeat(131)),
    ],
    sound: [
      file('infra/x.ts', 'x\n'.repeat(300)),
      file('tests/x.test.ts', 'x\n'.repeat(400)),
      file('docs/x.md', 'x'.repeat(500)),
    ],
  },
  {
    name: 'no folder and no file is named for nothing',
    rule: foldersHaveNames,
    breaches: [
      'infra/utils/x.ts', 'domain/job/helpers.ts', 'infra/common/x.ts', 'infra/http/services/x.ts', 'tests/misc/x.ts',
    ].map((path) => file(path, '')),
    sound: [file('infra/common-name/x.ts', ''), file('infra/service-list.ts', '')],
  },
  {
    name: 'every suite is run',
    rule: suitesRun,
    breaches: [
      file('tests/x.test.ts', "const test = suite('x')\ntest('a', () => {})"),
      file('tests/x.test.ts', "const test = suite('x')\n// test.run()"),
      file('tests/x.test.ts', "const a = suite('x')\nconst b = suite<{ n: number }>('y')\na.run()"),
      file('tests/x.test.ts', ''),
    ],
    sound: [
      file('tests/x.test.ts', "const test = suite('x')\ntest.run()\n"),
      file('tests/x.test.ts', "for (const one of all) {\n  const test = suite('x')\n  test.run()\n}"),
    ],
  },
  {
    name: 'nothing is silenced and no test left out',
    rule: nothingIsSilenced,
    breaches: [
      ...[
        'const x = y as any', 'const f = (x: any) => x', 'const x = y as unknown as string', '// @ts-ignore',
        '/* @ts-nocheck */',
      ].map((text) => file('infra/x.ts', text)),
      file('tests/x.test.ts', "test.only('x', f)"),
      file('tests/x.test.ts', "test.skip('x', f)"),
    ],
    sound: [
      file('infra/x.ts', '// as any other\nconst because = "as any"'),
      file('infra/x.ts', 'list.skip(3); const company: anyone = 1'),
    ],
  },
  {
    name: 'no test sleeps',
    rule: testsDoNotSleep,
    breaches: [
      file('tests/x.test.ts', 'await new Promise((resolve) => setTimeout(resolve, 50))'),
      file('tests/x.test.ts', "import { setTimeout as pause } from 'node:timers/promises'"),
    ],
    sound: [file('tests/support/until.ts', 'setTimeout(resolve, 5)'), file('infra/x.ts', 'setTimeout(resolve, 5)')],
  },
  {
    name: 'an engine and a provider are named in their own folder only',
    rule: namesStayAtHome([{ name: 'alpha', folder: `${ENGINE}/` }]),
    breaches: [
      file('infra/controller/x.ts', "if (engine === 'alpha') return"),
      file('infra/engines/beta/x.ts', 'const peer = "alpha"'),
      file('command-handlers/x.ts', 'const engine = `alpha`'),
    ],
    sound: [
      file(`${ENGINE}/index.ts`, "const name = 'alpha'"),
      file('infra/controller/x.ts', "// unlike 'alpha'\nconst dir = 'alpha-beta'"),
      file('tests/x.ts', "const name = 'alpha'"),
      file('infra/catalogue/default.yaml', "engine: 'alpha'"),
    ],
  },
  {
    name: 'every link leads somewhere',
    rule: linksResolve(['docs/a.md', 'docs/decisions/0001-x.md', 'README.md']),
    breaches: [
      '[x](b.md)', '[x](../nowhere/)', '[x](a.md#no-such-heading)', '[x]: gone.md', '[x](#gone)',
    ].map((text) => file('docs/a.md', text)),
    sound: [
      '[x](a.md) [y](decisions/0001-x.md) [z](../README.md) [w](decisions/)', '[x](https://example.test/b.md)',
      '# A heading, really\n[x](#a-heading-really)', '```\n[x](b.md)\n```', '<a id="here"></a>[x](#here)',
    ].map((text) => file('docs/a.md', text)),
  },
]

const onTree: readonly (readonly [string, Rule])[] = entries.map(({ name, rule }): readonly [string, Rule] => {
  if (name.startsWith('an engine and a provider are named')) return [name, namesStayAtHome(named)]
  return name.startsWith('every link') ? [name, linksResolve(paths)] : [name, rule]
})

const listed = (breaches: readonly Breach[]): string =>
  breaches.map(({ path, line, what }) => `${path}:${line} ${what}`).join('\n')

test('the tree that the rules look at is the whole project', () => {
  for (const path of ['package.json', 'domain/job/job.ts', 'infra/config.ts', 'tests/architecture/rules.test.ts']) {
    assert.ok(tree.some((one) => one.path === path), path)
  }
  assert.ok(named.length >= 3, 'there are engines and providers to look for')
  for (const { folder } of named) {
    assert.ok(paths.some((path) => path.startsWith(folder)), `${folder} is the folder of its name`)
  }
})

for (const { name, rule, breaches, sound } of entries) {
  test(`whoever breaks it is found: ${name}`, () => {
    for (const planted of breaches) {
      assert.ok(rule([...sound, planted]).length > 0, `${planted.path}: ${planted.text.slice(0, 80)}`)
    }
  })
  test(`whoever keeps it is left alone: ${name}`, () => {
    for (const kept of sound) assert.is(listed(rule([kept])), '')
  })
}

for (const [name, rule] of onTree) test(name, () => assert.is(listed(rule(tree)), ''))

test.run()
