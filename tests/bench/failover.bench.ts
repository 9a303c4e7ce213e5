import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import {
  authorityOf, createInsistently, datastoreOf, jobsOf, nodesOf, order, started, withSql,
} from '../support/datastores.ts'
import { linkOf, primaryOf, signalServer, wholeAgain } from '../support/failover-scene.ts'
import { insertWriter } from '../support/insert-writer.ts'
import { startInstance } from '../support/instance.ts'
import { testPrograms } from '../support/programs.ts'
import { until } from '../support/until.ts'
import { libpqWriter } from './libpq-writer.ts'
import { atInterrupt, median, report, spread } from './measure.ts'

// How long writes are out when the primary is cut off and dies, with a client that knows one name. All times are as they come;
// but no failover waits for there having been many, and commits wait for a replica, so that no row may be missing afterwards.
const ROUNDS = 10
const MEDIAN_MS_MAX = 4_500
const WORST_MS_MAX = 9_000
const PLANNED_MS_MAX = 1_000
const SIZE = 3
const Taken = z.object({ job_id: z.uuid() })

const instance = await startInstance({ separate: true })
atInterrupt(instance.down)
const { api, dnsPort } = instance
const uuid = await createInsistently(api, order({
  name: 'bench', size: SIZE, cloud: 'netns', highAvailability: { synchronous: true, max_failovers_per_hour: 60 },
}))
await started(api, uuid)
await withSql(instance, api, uuid, async (sql) => {
  await sql('create table written_by_libpq (number bigint generated always as identity)', {
    host: (await datastoreOf(api, uuid)).primary_url ?? '',
  })
})
const { db_account: account, primary_url: host } = await datastoreOf(api, uuid)
const folder = await mkdtemp(join(tmpdir(), 'ccx-bench-'))
const authority = join(folder, 'ca.pem')
await writeFile(authority, await authorityOf(api, uuid))
const writer = libpqWriter({
  psql: (await testPrograms('postgres')).bin('psql'),
  dnsPort,
  host: host ?? '',
  env: {
    PGPORT: '5432', PGUSER: account.database_username, PGDATABASE: account.database_database,
    PGPASSWORD: account.database_password ?? '', PGSSLMODE: 'verify-full', PGSSLROOTCERT: authority,
    LC_ALL: 'C.UTF-8', HOME: folder,
  },
})
const goesOn = async (): Promise<void> => {
  const before = writer.acknowledged()
  await until(() => writer.acknowledged() > before + 20, { withinMs: 120_000, what: 'more writes' })
}
/** Of the application that counts: whether everything is in its place again, and no row of his is gone. */
const counted = await insertWriter(instance, api, uuid, { timeoutMs: 1_000 })

const outageMs = async (fault: () => Promise<void>): Promise<number> => {
  await goesOn()
  writer.longestGapMs()
  await fault()
  await goesOn()
  await goesOn()
  return writer.longestGapMs()
}

const link = linkOf(instance)
const cutMs: number[] = []
const killedMs: number[] = []
for (let round = 0; round < ROUNDS; round++) {
  const primary = await primaryOf(instance, uuid)
  cutMs.push(await outageMs(async () => {
    await link.cut(primary.host_uuid, 'both')
    signalServer(primary, 'SIGKILL')
  }))
  await link.heal(primary.host_uuid)
  await wholeAgain(instance, uuid, { writer: counted, size: SIZE })
  console.log(`round ${round + 1}: cut off and dead, writes out for ${Math.round(cutMs.at(-1) ?? 0)} ms`)
}
for (let round = 0; round < 5; round++) {
  const primary = await primaryOf(instance, uuid)
  killedMs.push(await outageMs(async () => void signalServer(primary, 'SIGKILL')))
  await wholeAgain(instance, uuid, { writer: counted, size: SIZE })
}

/** The planned kind, and what a promotion takes by itself: from the job's own steps. */
const plannedMs: number[] = []
for (let round = 0; round < 5; round++) {
  const replica = (await nodesOf(api, uuid)).find(({ role }) => role === 'replica')
  plannedMs.push(await outageMs(async () => {
    const path = `/api/prov/api/v2/cluster/${uuid}/nodes/${replica?.host_uuid}/promote`
    const jobId = Taken.parse((await api(path, { method: 'POST', headers: { 'Idempotency-Key': randomUUID() } })).body).job_id
    const statusOf = async () => (await jobsOf(api, uuid)).jobs.find(({ job_id: id }) => id === jobId)?.status
    const isOver = async () => (await statusOf()) !== 'JOB_STATUS_RUNNING'
    await until(isOver, { withinMs: 60_000, what: 'the end of the promotion' })
  }))
  await wholeAgain(instance, uuid, { writer: counted, size: SIZE })
}

const { intervalMs } = instance.config.watch
report('detection interval', `${intervalMs} ms`)
report('primary cut off and dead, writes out', spread(cutMs, 'ms'), {
  ok: median(cutMs) <= MEDIAN_MS_MAX && Math.max(...cutMs) <= WORST_MS_MAX,
  text: `median ≤ ${MEDIAN_MS_MAX}, worst ≤ ${WORST_MS_MAX} ms`,
})
report('server killed, started again in place, writes out', spread(killedMs, 'ms'))
report('planned switchover, writes pause', spread(plannedMs, 'ms'), {
  ok: median(plannedMs) <= PLANNED_MS_MAX, text: `≤ ${PLANNED_MS_MAX} ms`,
})
await writer.stop()
await counted.stop()
await rm(folder, { recursive: true, force: true })
await instance.down()
