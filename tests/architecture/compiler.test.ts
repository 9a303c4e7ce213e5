import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from './tree.ts'

const test = suite('the compiler of the pure core')

const run = promisify(execFile)
const compile = async (project: string): Promise<string> => {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  return run(process.execPath, [tsc, '-p', project]).then(
    () => '',
    (error: unknown) => (error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error)),
  )
}

let folder = ''
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ccx-compiler-'))
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
})
test.after(() => rm(folder, { recursive: true, force: true }))

/** Compiles one file with the settings of a part of the tree. */
const compilePlanted = async (part: string, text: string): Promise<string> => {
  await writeFile(join(folder, 'planted.ts'), text)
  const config = {
    extends: join(root, part, 'tsconfig.json'),
    compilerOptions: { rootDir: folder },
    include: [join(folder, 'planted.ts')],
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config))
  return compile(join(folder, 'tsconfig.json'))
}

const platform = [
  "process.env['HOME']",
  'setTimeout(() => 1, 1)',
  "fetch('http://127.0.0.1')",
  'crypto.randomUUID()',
  'Buffer.alloc(1)',
  "console.log('x')",
]

for (const part of ['domain', 'sagas']) {
  test(`${part} compiles where there is no platform`, async () =>
    assert.is(await compile(join(root, part, 'tsconfig.json')), ''))

  test(`a pure file compiles with the settings of ${part}`, async () =>
    assert.is(await compilePlanted(part, 'export const twice = (n: number): number => 2 * n\n'), ''))

  for (const planted of platform) {
    test(`${planted} does not compile in ${part}`, async () =>
      assert.match(
        await compilePlanted(part, `export const x = ${planted}\n`),
        /planted\.ts\(1,18\): error TS2\d+: Cannot find name/,
      ))
  }
}

test.run()
