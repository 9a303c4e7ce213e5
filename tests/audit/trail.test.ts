import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { startAudit } from '../support/audit.ts'
import { randomHistory, writer } from '../support/history.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore } from '../support/read-store.ts'

const test = suite('the audit trail')

const server = await startPostgres(['fsync=off'])
test.after(() => server.stop())

const TABLES = ['entries', 'nodes', 'chains', 'checkpoints', 'keys']

test('is the same to the byte when it is made again from the log', async () => {
  const store = memoryEventStore()
  const [one, other] = [await emptyReadStore(server.url, 'audit_one'), await emptyReadStore(server.url, 'audit_other')]
  const write = writer(store)
  const history = randomHistory(7, { datastores: 20, moves: 2_000 })
  const live = await startAudit(store, one, { batchMax: 7 })
  for (let n = 0; n < history.length; n += 100) {
    await write(history.slice(n, n + 100))
    await live.settled()
  }
  const again = await startAudit(store, other)
  await again.settled()
  for (const table of TABLES) {
    const rows = async ({ pool }: typeof one) =>
      (await pool.query(`select t::text as row from audit.${table} t order by 1`)).rows
    const [before, after] = [await rows(one), await rows(other)]
    assert.ok(before.length > 0, table)
    assert.equal(after, before, table)
  }
  assert.equal([live.complaints(), again.complaints()], [[], []])
  await live.stop()
  await again.stop()
  await one.close()
  await other.close()
})

test.run()
