import { spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { z } from 'zod'
import { createAuthority, issue } from '../../infra/certificates/authority.ts'
import { unprivilegedUser } from '../../infra/embedded/state.ts'
import { type Api, startInstance } from '../support/instance.ts'
import { testPrograms } from '../support/programs.ts'
import { until } from '../support/until.ts'
import { atInterrupt, median, report, spread, timed } from './measure.ts'

// A deploy over REST, and the same cluster made by a bare script, by turns.
const SIZES = [1, 3]
const ROUNDS = 5
const LOOK = { withinMs: 120_000, everyMs: 20 }
const RATIO_MAX = 1.3
const OVER_MS_MAX = 2_000
const CLUSTERS = '/api/prov/api/v2/cluster'

const Made = z.object({ uuid: z.uuid() })
const Jobs = z.object({ jobs: z.array(z.object({ job_id: z.string(), status: z.string(), text: z.string() })) })
const Job = z.object({
  log: z.array(z.object({ at: z.iso.datetime(), step: z.string().nullable() })),
  finished_at: z.iso.datetime(),
})

const programs = await testPrograms('postgres')
const user = await unprivilegedUser()
const authority = await createAuthority('bench')

const newestJob = async (api: Api, uuid: string) => {
  const { jobs } = Jobs.parse((await api(`/api/deployment/v2/data-stores/${uuid}/jobs?limit=1`)).body)
  return jobs[0]
}

/** Until its newest job, which is not the one `before` it, has finished. */
const finished = async (api: Api, uuid: string, before?: string): Promise<string> => {
  const job = await until(async () => {
    const newest = await newestJob(api, uuid)
    return newest?.job_id === before || newest?.status === 'JOB_STATUS_RUNNING' ? undefined : newest
  }, LOOK)
  if (job.status !== 'JOB_STATUS_FINISHED') throw new Error(`the job failed: ${job.text}`)
  return job.job_id
}

const stepMs = new Map<string, number[]>()

/** Where a job's time went: from the first line of each step to the first of the next one. */
const noteSteps = async (api: Api, uuid: string, jobId: string, size: number): Promise<void> => {
  const answer = await api(`/api/deployment/v2/data-stores/${uuid}/jobs/${jobId}`)
  const { log, finished_at: end } = Job.parse(answer.body)
  const began = new Map<string, number>()
  for (const { at, step } of log) if (step !== null && !began.has(step)) began.set(step, Date.parse(at))
  const steps = [...began]
  for (const [n, [step, from]] of steps.entries()) {
    const key = `${size} ${step}`
    stepMs.set(key, [...(stepMs.get(key) ?? []), (steps[n + 1]?.[1] ?? Date.parse(end)) - from])
  }
}

const deploy = async (api: Api, size: number): Promise<number> => {
  const json = {
    general: { cluster_name: `bench-${size}`, cluster_size: size, db_vendor: 'postgres', tags: [] },
    cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
    instance: { instance_size: 'nano', volume_size: 1 },
  }
  const made = { uuid: '', jobId: '' }
  const ms = await timed(async () => {
    made.uuid = Made.parse((await api(CLUSTERS, { method: 'POST', json })).body).uuid
    made.jobId = await finished(api, made.uuid)
  })
  await noteSteps(api, made.uuid, made.jobId, size)
  const answer = await api(`${CLUSTERS}/${made.uuid}`, {
    method: 'DELETE',
    headers: { 'Idempotency-Key': randomUUID() },
  })
  if (answer.status !== 200) throw new Error(`the datastore cannot be deleted: ${answer.status}`)
  await finished(api, made.uuid, made.jobId)
  return ms
}

const script = async (verb: 'up' | 'down', folder: string, addresses: readonly string[]): Promise<void> => {
  const child = spawn(join(import.meta.dirname, 'bare-cluster.sh'), [verb, folder, ...addresses], {
    cwd: '/',
    env: { PATH: `${dirname(programs.bin('postgres'))}:/usr/bin:/bin`, LC_ALL: 'C.UTF-8', HOME: folder },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 120_000,
    ...user,
  })
  const [complaints, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  if (code !== 0) throw new Error(`bare-cluster.sh ${verb} ended with ${code}: ${complaints}`)
}

/** The certificates are there before the clock starts. */
const bare = async (size: number): Promise<number> => {
  const folder = await mkdtemp(join(tmpdir(), 'ccx-bare-'))
  const own = async (path: string) => {
    await chmod(path, 0o700)
    if (user !== undefined) await chown(path, user.uid, user.gid)
  }
  const [a = 0, b = 0] = randomBytes(2)
  const addresses = Array.from({ length: size }, (_, n) => `127.${1 + (a % 254)}.${b}.${1 + n}`)
  try {
    await own(folder)
    for (const [n, address] of addresses.entries()) {
      const name = `node-${n + 1}`
      const request = { commonName: name, dnsNames: [name], addresses: [address], days: 2 }
      const { certificatePem, keyPem, authorityPem } = await issue(authority, request)
      const tls = join(folder, `${n + 1}`, 'tls')
      await mkdir(tls, { recursive: true })
      await writeFile(join(tls, 'server.pem'), `${certificatePem}\n${keyPem}`)
      await writeFile(join(tls, 'ca.crt'), authorityPem)
      for (const path of [dirname(tls), tls, join(tls, 'server.pem'), join(tls, 'ca.crt')]) await own(path)
    }
    return await timed(() => script('up', folder, addresses))
  } finally {
    await script('down', folder, addresses)
    await rm(folder, { recursive: true, force: true })
  }
}

const instance = await startInstance({ separate: false })
atInterrupt(instance.down)
try {
  for (const size of SIZES) {
    const deployMs: number[] = []
    const bareMs: number[] = []
    // The first of each is for the caches; whoever begins changes from round to round.
    for (let round = 0; round <= ROUNDS; round++) {
      const [ours, theirs] = [() => deploy(instance.api, size), () => bare(size)]
      const both = round % 2 === 0 ? [await ours(), await theirs()] : [await theirs(), await ours()].toReversed()
      if (round === 0) {
        stepMs.clear()
        continue
      }
      deployMs.push(both[0] ?? Number.NaN)
      bareMs.push(both[1] ?? Number.NaN)
    }
    const nodes = `${size} node${size === 1 ? '' : 's'}`
    report(`deploy of ${nodes}`, spread(deployMs, 'ms'))
    report(`the bare script, ${nodes}`, spread(bareMs, 'ms'))
    // Within a round, because the machine's noise is much the same for both of it.
    const ratios = deployMs.map((ms, round) => ms / (bareMs[round] ?? Number.NaN))
    const overMs = deployMs.map((ms, round) => ms - (bareMs[round] ?? Number.NaN))
    report(`deploy / bare script, ${nodes}, by round`, spread(ratios, '×', 2), {
      ok: median(ratios) <= RATIO_MAX,
      text: `≤ ${RATIO_MAX}`,
    })
    report(`deploy over bare script, ${nodes}, by round`, spread(overMs, 'ms'), {
      ok: median(overMs) <= OVER_MS_MAX,
      text: `≤ ${OVER_MS_MAX} ms`,
    })
    for (const [key, ms] of stepMs) if (key.startsWith(`${size} `)) report(`  step ${key}`, spread(ms, 'ms'))
  }
} finally {
  await instance.down()
}
