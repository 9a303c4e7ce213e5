// limit: 400 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import {
  changeInsistently, createInsistently, endedJob, jobsOf, order, removed, removeInsistently, started, withSql,
} from '../support/datastores.ts'
import { type RunningInstance, startInstance } from '../support/instance.ts'
import { bench } from '../support/local-providers.ts'
import { until } from '../support/until.ts'

const volumes = suite('the volumes of a datastore fill up')

/** What the server's log may take of a volume, beside the table. */
const LOG_MIB = 400
const GROW = 'JOB_TYPE_SCALE_VOLUME'
const GUARD = 'JOB_TYPE_SET_READ_ONLY'
const MIB = 1024 ** 2
const WRITABLE = { withinMs: 60_000, what: 'writes being taken' }
/** About so many MiB that nothing compresses away. */
const filling = (mib: number) =>
  `insert into filling select repeat(md5(random()::text), 30) from generate_series(1, ${mib * 1_000})`
const FILL = filling(20)

const Sized = z.object({ disk_size: z.int(), cluster_status_text: z.string(), not_operable_reason: z.string() })
const Titled = z.object({ jobs: z.array(z.object({ type: z.string(), title: z.string(), user: z.string() })) })

let instance: RunningInstance
let uuid = ''
const sql = (work: (ask: (statement: string) => Promise<string>) => Promise<void>): Promise<void> =>
  withSql(instance, instance.api, uuid, (ask) => work((statement) => ask(statement, { host: `${uuid}.ccx.test` })))
const seen = async () => Sized.parse((await instance.api(`/api/deployment/v3/data-stores/${uuid}`)).body)
const autoscale = async (json: z.core.util.JSONType): Promise<void> => {
  const { status, body } = await instance.api(`/api/v1/datastores/${uuid}/autoscale`, { method: 'PUT', json })
  assert.is(status, 200, JSON.stringify(body))
}
const holds = async (ask: (statement: string) => Promise<string>): Promise<number> =>
  Number(await ask("select pg_total_relation_size('filling')"))

/** Writes until it is refused: in small pieces at the end, so that there is time to see it before nothing is left. */
const untilRefused = (ask: (statement: string) => Promise<string>, sizeGib: number): Promise<boolean> =>
  until(async () => {
    const isNear = (await holds(ask)) > (0.85 * sizeGib * 1024 - LOG_MIB) * MIB
    const refusal = await ask(filling(isNear ? 1 : 20)).then(() => '', (error: unknown) => String(error))
    return refusal !== ''
  }, { withinMs: 150_000, what: 'writes being refused' })

volumes.after(() => instance?.down())

/** Deploys one on a provider whose volumes have a size. */
const deploy = async (): Promise<void> => {
  instance = await startInstance({ separate: false, settings: { WATCH_INTERVAL_MS: '300' } })
  uuid = await createInsistently(instance.api, order({ name: 'filling', size: 2, cloud: 'netns' }))
  await started(instance.api, uuid)
  await sql(async (ask) => void (await ask('create table filling (text text)')))
}

const growsByItself = async (): Promise<void> => {
  await deploy()
  await sql(async (ask) => {
    await until(async () => {
      await ask(FILL)
      return (await holds(ask)) > 1_100 * MIB
    }, { withinMs: 150_000, what: 'more in the table than the first volume could hold' })
  })
  const { jobs } = Titled.parse((await instance.api(`/api/deployment/v2/data-stores/${uuid}/jobs`)).body)
  const grown = jobs.filter(({ type }) => type === GROW)
  assert.ok(grown.length >= 1)
  for (const { title, user } of grown) {
    assert.match(title, /^Grow the volumes to \d+ GiB: the volume of db-\w+ is \d\d % full, of \d+ GiB$/)
    assert.is(user, 'system')
  }
  assert.ok((await seen()).disk_size >= 2)
  assert.equal(jobs.filter(({ type }) => type === GUARD), [])
}

const isGuarded = async (): Promise<void> => {
  await endedJob(instance.api, uuid, GROW)
  await autoscale({ enabled: false })
  const { disk_size: sizeGib } = await seen()
  await sql(async (ask) => {
    await untilRefused(ask, sizeGib)
    const job = await endedJob(instance.api, uuid, GUARD)
    assert.is(job.status, 'JOB_STATUS_FINISHED')
    await until(async () => /read-only/.test((await seen()).cluster_status_text), { withinMs: 10_000 })
    assert.match((await seen()).not_operable_reason, /the volume of db-\w+ is 9\d % full/)
    assert.match(await ask(FILL).then(() => '', (error: unknown) => String(error)), /read-only transaction/)
    assert.ok((await ask('select left(text, 4) from filling limit 1')).length === 4)
    await changeInsistently(instance.api, uuid, { new_volume_size: sizeGib + 1 })
    assert.is((await seen()).disk_size, sizeGib + 1)
    await until(async () => !/read-only/.test((await seen()).cluster_status_text), WRITABLE)
    await ask(FILL)
  })
  await until(async () => {
    const guards = (await jobsOf(instance.api, uuid)).jobs.filter(({ type }) => type === GUARD)
    return guards.length === 2 && guards.every(({ status }) => status === 'JOB_STATUS_FINISHED')
  }, { withinMs: 10_000, what: 'the guard having come and gone' })
}

const makesRoom = async (): Promise<void> => {
  const { disk_size: sizeGib } = await seen()
  await sql(async (ask) => {
    await untilRefused(ask, sizeGib)
    await until(async () => /read-only/.test((await seen()).cluster_status_text), { withinMs: 30_000 })
    // What a tenant says for himself is how he cleans up.
    await ask('begin read write; truncate filling; commit')
    await until(async () => !/read-only/.test((await seen()).cluster_status_text), WRITABLE)
    await ask(FILL)
  })
  assert.is((await seen()).disk_size, sizeGib)
  await removeInsistently(instance.api, uuid)
  await removed(instance.api, uuid)
}

const reason = await (async (): Promise<string | undefined> => {
  const { providers, clear } = await bench()
  try {
    const provider = providers.find(({ capabilities }) => capabilities.has('volume-size-limit'))
    return provider === undefined ? 'no provider here limits volumes' : await provider.unavailable()
  } finally {
    await clear()
  }
})()
if (reason === undefined) {
  volumes('a writer goes on for ever, for the volumes grow with what is written, and each job says why', growsByItself)
  volumes('one that may not grow is read-only when it is nearly full, and takes writes once its tenant has it grown', isGuarded)
  volumes('a tenant who makes room himself is let write again, and the volumes stay as they are', makesRoom)
} else {
  volumes('nothing can be shown here', () => console.log(`SKIPPED volumes that fill up: ${reason}`))
}

volumes.run()
