import { chmod, readdir, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { defaultStateDir, openState, unprivilegedUser } from '../../infra/embedded/state.ts'
import { freePort } from '../support/free-port.ts'
import { inTemporaryFolder } from '../support/temporary-folder.ts'

const state = suite('state folder')
const user = await unprivilegedUser()
const passage = user === undefined ? 0o700 : 0o711

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o7777

/** A folder that others may pass through, as the parents of a real state folder are. */
const inFolder = (work: (dir: string) => Promise<void>) =>
  inTemporaryFolder(async (folder) => {
    await chmod(folder, 0o755)
    await work(join(folder, 'state'))
  })

state('keeps secrets to its owner, whatever the umask', () =>
  inFolder(async (dir) => {
    const umask = process.umask(0)
    const opened = await openState({ dir, ports: [], user }).finally(() => process.umask(umask))
    assert.is(await modeOf(dir), passage)
    for (const name of ['secrets', 'logs', 'run']) assert.is(await modeOf(join(dir, name)), 0o700, name)
    for (const name of ['data', 'machines']) assert.is(await modeOf(join(dir, name)), passage, name)
    const secrets = await readdir(join(dir, 'secrets'))
    for (const name of secrets) assert.is(await modeOf(join(dir, 'secrets', name)), 0o600, name)
    const folder = await opened.dataFolder('postgres')
    assert.is(await modeOf(folder), 0o700)
    assert.is((await stat(folder)).uid, user?.uid ?? process.getuid?.())
  }))

state('keeps its secrets and ports from one start to the next', () =>
  inFolder(async (dir) => {
    const first = await openState({ dir, ports: ['http', 'nats'], user })
    const again = await openState({ dir, ports: ['nats', 'http', 'dns'], user })
    assert.is(again.port('http'), first.port('http'))
    assert.is(again.port('nats'), first.port('nats'))
    assert.is(again.secret('nats'), first.secret('nats'))
    assert.is(Buffer.from(again.secret('master-key'), 'base64').length, 32)
    assert.is(new Set(['nats', 'http', 'dns'].map(again.port)).size, 3)
  }))

state('takes the wanted port, or the next free one when it is taken; a port asked for by number must be free', () =>
  inFolder(async (dir) => {
    const wanted = await freePort()
    const other = createServer().listen(wanted, '127.0.0.1')
    await once(other, 'listening')
    const first = await openState({ dir, ports: ['http'], wantedPorts: { http: wanted }, user })
    assert.ok(first.port('http') > wanted)
    const refused = await openState({ dir, ports: ['http'], fixedPorts: { http: wanted }, user })
      .then(() => '', (error: unknown) => (error instanceof Error ? error.message : ''))
    assert.is(refused, `port ${wanted} is in use; choose another`)
    other.close()
    await once(other, 'close')
    const fixed = await openState({ dir, ports: ['http'], fixedPorts: { http: wanted }, user })
    assert.is(fixed.port('http'), wanted)
  }))

state('shares neither secrets nor ports in use with another one', () =>
  inFolder(async (dir) => {
    const one = await openState({ dir, ports: ['a'], user })
    const inUse = createServer().listen(one.port('a'), '127.0.0.1')
    await once(inUse, 'listening')
    await chmod(dir, 0o711)
    const other = await openState({ dir: join(dir, 'other'), ports: ['a'], wantedPorts: { a: one.port('a') }, user })
    inUse.close()
    assert.is.not(one.secret('master-key'), other.secret('master-key'))
    assert.is.not(one.port('a'), other.port('a'))
  }))

state('is elsewhere when the servers\' user cannot enter the repository', () =>
  inTemporaryFolder(async (folder) => {
    if (user === undefined) return
    const closed = await defaultStateDir(folder, user)
    assert.match(closed.dir, /^\/var\/lib\/ccx\/[0-9a-f]{12}$/)
    assert.match(closed.because ?? '', folder)
    await chmod(folder, 0o755)
    assert.equal(await defaultStateDir(folder, user), { dir: join(folder, '.ccx') })
  }))

state('is refused when the servers\' user cannot enter it', () =>
  inTemporaryFolder(async (folder) => {
    if (user === undefined) return
    const refused = await openState({ dir: join(folder, 'state'), ports: [], user })
      .then(() => '', (error: unknown) => (error instanceof Error ? error.message : ''))
    assert.match(refused, 'cannot be reached by the user number')
  }))

state.run()
