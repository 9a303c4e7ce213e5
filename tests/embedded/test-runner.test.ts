import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { identityOf } from '../../infra/embedded/process-identity.ts'
import { execute, ProgramFailed } from '../../infra/embedded/execute.ts'
import { runTestFile } from '../../infra/main/cli/test-file.ts'
import { inTemporaryFolder } from '../support/temporary-folder.ts'

const runner = suite('test runner')

const uvu = JSON.stringify(import.meta.resolve('uvu'))
const file = (second: string): string =>
  `import { suite } from ${uvu}\nconst s = suite('s')\ns('one', () => {})\ns('two', () => {${second}})\ns.run()\n`
const GOOD = file('')
const BAD = file('throw new Error("wrong")')

const write = async (folder: string, path: string, text: string): Promise<void> => {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), text)
}

const run = async (folder: string, text: string, limitMs = 60_000) => {
  await write(folder, 'x.test.ts', text)
  const { output, durationMs: _, ...verdict } = await runTestFile('x.test.ts', { cwd: folder, env: {}, limitMs })
  return { verdict, output }
}

runner('counts the tests of a good file', () =>
  inTemporaryFolder(async (folder) => {
    const { verdict } = await run(folder, GOOD)
    assert.equal(verdict, { path: 'x.test.ts', passed: 2, failed: 0, skipped: 0, excuses: [], fault: undefined })
  }))

runner('counts the failures of a bad file and keeps its output', () =>
  inTemporaryFolder(async (folder) => {
    const { verdict, output } = await run(folder, BAD)
    assert.equal(verdict, { path: 'x.test.ts', passed: 1, failed: 1, skipped: 0, excuses: [], fault: undefined })
    assert.match(output, 'wrong')
  }))

runner('fails a file that ran nothing', () =>
  inTemporaryFolder(async (folder) => {
    const { verdict } = await run(folder, GOOD.replace('s.run()', ''))
    assert.equal([verdict.passed, verdict.failed, verdict.fault], [0, 1, 'ran no test (does it end in `.run()`?)'])
  }))

runner('counts what is skipped apart, and lets a file say why it can run nothing here', () =>
  inTemporaryFolder(async (folder) => {
    const skipping = await run(folder, BAD.replace("s('one'", "s.skip('one'"))
    assert.equal([skipping.verdict.passed, skipping.verdict.failed, skipping.verdict.skipped], [0, 1, 1])
    const { verdict } = await run(folder, 'console.log("SKIPPED clouds: none is at hand")\n')
    assert.equal([verdict.failed, verdict.excuses], [0, ['clouds: none is at hand']])
  }))

runner('fails a file that cannot be loaded', () =>
  inTemporaryFolder(async (folder) => {
    const { verdict } = await run(folder, 'import "./nowhere.ts"\n')
    assert.equal([verdict.passed, verdict.failed, verdict.fault], [0, 1, 'ended with exit code 1'])
  }))

runner('kills a file that does not end, and what it has started, in whatever session', () =>
  inTemporaryFolder(async (folder) => {
    const pids = join(folder, 'pids')
    const hangs =
      `import { spawn } from 'node:child_process'\nimport { writeFileSync } from 'node:fs'\n` +
      `const child = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })\n` +
      `writeFileSync(${JSON.stringify(pids)}, process.pid + ' ' + child.pid)\n${GOOD}`
    const { verdict } = await run(folder, hangs, 3_000)
    assert.equal([verdict.passed, verdict.failed, verdict.fault], [2, 1, 'did not end within 3 s'])
    const left = readFileSync(pids, 'utf8').split(' ').map(Number).filter((pid) => identityOf(pid) !== undefined)
    assert.equal(left, [])
  }))

runner('fails a file that leaves a process behind, and ends the process', () =>
  inTemporaryFolder(async (folder) => {
    const pid = join(folder, 'pid')
    const leaves =
      `import { spawn } from 'node:child_process'\nimport { writeFileSync } from 'node:fs'\n` +
      `const child = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })\nchild.unref()\n` +
      `writeFileSync(${JSON.stringify(pid)}, String(child.pid))\n${GOOD}`
    const { verdict } = await run(folder, leaves)
    assert.equal([verdict.passed, verdict.failed, verdict.fault], [2, 1, 'left processes behind: sleep'])
    assert.is(identityOf(Number(readFileSync(pid, 'utf8'))), undefined)
  }))

/** The last line and the exit code of a whole run over a folder. */
const runAll = async (folder: string, ...patterns: readonly string[]) => {
  const program = join(folder, 'run.ts')
  const module = JSON.stringify(import.meta.resolve('../../infra/main/cli/test.ts'))
  await writeFile(
    program,
    `import { runTests } from ${module}\n` +
      `const [root, ...patterns] = ${JSON.stringify([folder, ...patterns])}\n` +
      'process.exitCode = await runTests(root, patterns, { failedBefore: 0 })\n',
  )
  const outcome = await execute([process.execPath, program], { env: {} }).then(
    (output) => ({ output, exitCode: 0 }),
    (error: unknown) => {
      if (!(error instanceof ProgramFailed) || !(error.cause instanceof Error)) throw error
      return { output: error.cause.message, exitCode: /exit code (\d+)/.exec(error.message)?.[1] }
    },
  )
  const lines = outcome.output.trimEnd().split('\n')
  const order = lines.flatMap((line) => /^(?:ok|FAIL)\s+(\S+)/.exec(line)?.[1] ?? [])
  return { last: lines.at(-1), exitCode: Number(outcome.exitCode), order }
}

runner('sums up on its last line, with the exit code to match, and runs the whole system last', () =>
  inTemporaryFolder(async (folder) => {
    await write(folder, 'tests/e2e/a.test.ts', GOOD)
    await write(folder, 'tests/z/good.test.ts', GOOD)
    const good = await runAll(folder)
    const order = ['tests/z/good.test.ts', 'tests/e2e/a.test.ts']
    assert.equal(good, { last: '4 passed, 0 failed', exitCode: 0, order })
    await write(folder, 'tests/z/bad.test.ts', BAD)
    const { last, exitCode } = await runAll(folder)
    assert.equal([last, exitCode], ['5 passed, 1 failed', 1])
    const chosen = await runAll(folder, 'good')
    assert.equal([chosen.last, chosen.exitCode], ['2 passed, 0 failed', 0])
  }))

runner('fails when there is no test at all', () =>
  inTemporaryFolder(async (folder) => {
    const { last, exitCode } = await runAll(folder)
    assert.equal([last, exitCode], ['0 passed, 1 failed', 1])
  }))

runner.run()
