import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { masterKey } from '../../infra/secrets/master-key.ts'

const test = suite('the master key')

const inFolder = (sentence: string, body: (dir: string) => Promise<void>): void =>
  test(sentence, async () => {
    const dir = await mkdtemp(join(tmpdir(), 'ccx-master-key-'))
    try {
      await body(dir)
    } finally {
      await rm(dir, { recursive: true })
    }
  })

const refused = async (path: string): Promise<string> => {
  try {
    await masterKey(path)
  } catch (error) {
    return String(error)
  }
  throw new Error('it was to be refused')
}

inFolder('it is made at the first start, for its owner alone, and is the same ever after', async (dir) => {
  const path = join(dir, 'new', 'master.key')
  const key = await masterKey(path)
  assert.is(key.length, 32)
  assert.is((await stat(path)).mode & 0o777, 0o600)
  assert.equal(await masterKey(path), key)
  assert.equal(await readdir(join(dir, 'new')), ['master.key'])
})

inFolder('services that start together get the same one', async (dir) => {
  const path = join(dir, 'master.key')
  const keys = await Promise.all(Array.from({ length: 8 }, () => masterKey(path)))
  assert.is(new Set(keys.map((key) => key.toString('hex'))).size, 1)
  assert.equal(await readdir(dir), ['master.key'])
})

inFolder('one that others can read, or that holds something else, is refused and not shown', async (dir) => {
  const path = join(dir, 'master.key')
  await writeFile(path, 'too short', { mode: 0o600 })
  const tooShort = await refused(path)
  assert.match(tooShort, 'does not hold 32 bytes')
  assert.not.match(tooShort, 'too short')
  await chmod(path, 0o644)
  assert.match(await refused(path), 'open to others')
})

test.run()
