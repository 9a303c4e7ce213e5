// limit: 240 s
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { eventStoreServer } from '../../infra/embedded/event-store/server.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { compare } from '../../infra/read-store/compare.ts'
import { readCheckpoints } from '../../infra/read-store/checkpoints.ts'
import { rebuild } from '../support/rebuild.ts'
import { projections } from '../../projections/index.ts'
import { randomHistory, writer } from '../support/history.ts'
import { startPostgres } from '../support/postgres.ts'
import { killProcess } from '../support/event-store-child.ts'
import { emptyReadStore } from '../support/read-store.ts'
import { until } from '../support/until.ts'

const test = suite('a rebuild that is killed')

const postgres = await startPostgres(['fsync=off'])
const server = await eventStoreServer({ host: '127.0.0.1', port: 0, databaseUrl: postgres.url })
const eventStoreUrl = `esdb://${server.address}?tls=false`
const store = esdbEventStore({ connectionString: eventStoreUrl })
const readStore = await emptyReadStore(postgres.url, 'killed')
test.after(async () => {
  await store.close()
  await server.close()
  await readStore.close()
  await postgres.stop()
})

const LIMIT = { withinMs: 60_000 }
const KILLS = 12

const Told = z.union([
  z.object({ statement: z.number() }),
  z.object({ outcomes: z.array(z.string()) }),
  z.literal('caught up'),
])

/** Starts a process on these stores, and tells of what it says. */
const start = (file: string, said: (told: z.infer<typeof Told>, child: ChildProcess) => void): ChildProcess => {
  const child = fork(join(import.meta.dirname, '../support', file))
  child.on('message', (message) => said(Told.parse(message), child))
  child.send({ eventStoreUrl, databaseUrl: readStore.url })
  return child
}

const startProjecting = async (): Promise<ChildProcess> => {
  const caughtUp = Promise.withResolvers<void>()
  const child = start('projector-process.ts', () => caughtUp.resolve())
  await caughtUp.promise
  return child
}

/** Runs a rebuild up to its n-th statement; to its end if it has not so many. */
const rebuildUpTo = async (last: number) => {
  let statements = 0
  let outcomes: readonly string[] | undefined
  const child = start('renew-process.ts', (told, process) => {
    if (told === 'caught up') return
    if ('outcomes' in told) outcomes = told.outcomes
    else if ((statements = told.statement) === last) process.kill('SIGKILL')
  })
  await once(child, 'exit')
  return { statements, outcomes }
}

const hasReached = async (): Promise<boolean> => {
  const head = await store.head()
  const known = await readCheckpoints(readStore.pool, 'read')
  return head !== 'start' && projections.every(({ name }) => (known.get(name)?.position.commit ?? 0n) >= head.commit)
}

const assertIsTheLog = async (): Promise<void> => {
  await until(hasReached, LIMIT)
  await rebuild({ store, readStore, projections, intoSchema: 'proof' })
  assert.equal(await compare(readStore.pool, projections, ['read', 'proof']), [])
}

test('leaves the live tables as they are wherever it was, and the next one succeeds', async () => {
  const append = writer(store)
  const history = randomHistory(51, { datastores: 40, moves: 4_000 })
  const part = Math.floor(history.length / (KILLS + 3))
  await append(history.slice(0, part))
  let projecting = await startProjecting()
  const whole = await rebuildUpTo(Infinity)
  assert.equal(whole.outcomes, projections.map(() => 'swapped'))
  for (let kill = 1; kill <= KILLS; kill++) {
    await append(history.slice(kill * part, (kill + 1) * part))
    const found = await rebuildUpTo(Math.ceil((whole.statements * kill) / (KILLS + 1)))
    assert.is(found.outcomes, undefined)
    // Now and then the projector goes with it.
    if (kill % 4 === 0) {
      await killProcess(projecting)
      projecting = await startProjecting()
    }
    await assertIsTheLog()
  }
  await append(history.slice((KILLS + 1) * part))
  assert.equal((await rebuildUpTo(Infinity)).outcomes, projections.map(() => 'swapped'))
  await assertIsTheLog()
  await killProcess(projecting)
})

test('goes on when the projector is killed beside it', async () => {
  const projecting = await startProjecting()
  const renewing = rebuildUpTo(Infinity)
  await killProcess(projecting)
  assert.equal((await renewing).outcomes, projections.map(() => 'swapped'))
  const again = await startProjecting()
  await assertIsTheLog()
  await killProcess(again)
})

test.run()
