import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { neighbours } from '../../infra/main/parts/neighbours.ts'

const test = suite('controllers on one machine')

const { self, isGone } = neighbours()
const but = (change: Readonly<Record<string, unknown>>): string => JSON.stringify({ ...JSON.parse(self), ...change })

test('one that runs is not gone', () => {
  assert.not(isGone(self))
})

test('one whose process has ended is gone, also where another has its number by now', async () => {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  const { pid } = child
  await once(child, 'exit')
  assert.ok(isGone(but({ pid })))
  assert.ok(isGone(but({ startedTicks: '1' })))
})

test('nothing is known of one on another machine, or in another namespace, or of one that says something else', () => {
  const pid = 4_194_304
  assert.ok(isGone(but({ pid })))
  assert.not(isGone(but({ pid, bootId: 'another' })))
  assert.not(isGone(but({ pid, namespace: 'pid:[1]' })))
  for (const text of ['', '{', '{}', '"one"']) assert.not(isGone(text))
})

test.run()
