import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { z } from 'zod'
import { addressesOf } from './dns-client.ts'
import type { Api, RunningInstance } from './instance.ts'
import { testPrograms } from './programs.ts'
import { until } from './until.ts'

/** How long a job may take on a busy machine. */
const JOB_WITHIN_MS = 120_000
const PORT = 5432

const Created = z.object({ uuid: z.uuid() })
const Datastore = z.object({
  uuid: z.uuid(),
  cluster_status: z.string(),
  cluster_status_text: z.string(),
  primary_url: z.string().nullable(),
  replica_url: z.string().nullable(),
  db_account: z.object({
    database_username: z.string(),
    database_password: z.string().nullable(),
    database_database: z.string(),
  }),
})
export type DatastoreSeen = z.infer<typeof Datastore>
const Nodes = z.object({
  database_nodes: z.array(
    z.object({
      host_uuid: z.string(), fqdn: z.string(), role: z.string().nullable(), private_ip: z.string().nullable(),
    }),
  ),
})
export type NodeSeen = z.infer<typeof Nodes>['database_nodes'][number]
const Job = z.object({
  job_id: z.string(),
  type: z.string(),
  status: z.string(),
  text: z.string(),
  progress: z.number(),
})
const Jobs = z.object({ jobs: z.array(Job), total: z.number() })
const JobDetail = Job.extend({
  steps: z.array(z.object({ name: z.string(), title: z.string(), state: z.string() })),
  log: z.array(z.object({ line: z.string() })),
})

/** What a client sends to make a small datastore. */
export const order = ({ name, size, cloud = 'local', highAvailability }: {
  readonly name: string
  readonly size: number
  readonly cloud?: string
  readonly highAvailability?: {
    readonly synchronous?: boolean
    readonly repair_after_seconds?: number
    readonly max_failovers_per_hour?: number
  }
}) => ({
  ...(highAvailability === undefined ? {} : { high_availability: { ...highAvailability } }),
  general: { cluster_name: name, cluster_size: size, db_vendor: 'postgres', tags: [] },
  cloud: { cloud_provider: cloud, cloud_region: 'local-1' },
  instance: { instance_size: 'nano', volume_size: 1 },
})

export const create = (api: Api, json: ReturnType<typeof order>, key: string = randomUUID()) =>
  api('/api/prov/api/v2/cluster', { method: 'POST', json, headers: { 'Idempotency-Key': key } })

/** Until it is taken: services may be away. Repeated with the same key, so that it happens once. */
export const createInsistently = async (api: Api, json: ReturnType<typeof order>): Promise<string> => {
  const key = randomUUID()
  return until(async () => Created.parse((await create(api, json, key)).body).uuid, {
    withinMs: 60_000,
    what: 'the datastore being taken',
  })
}

export const remove = (api: Api, uuid: string, key: string = randomUUID()) =>
  api(`/api/prov/api/v2/cluster/${uuid}`, { method: 'DELETE', headers: { 'Idempotency-Key': key } })

export const removeInsistently = async (api: Api, uuid: string): Promise<void> => {
  const key = randomUUID()
  await until(async () => (await remove(api, uuid, key)).status === 200, {
    withinMs: 60_000,
    what: 'the removal being taken',
  })
}

/** Until it is taken; repeated with the same key, so that it happens once. */
export const changeInsistently = async (api: Api, uuid: string, json: z.core.util.JSONType): Promise<void> => {
  const headers = { 'Idempotency-Key': randomUUID() }
  const path = `/api/prov/api/v2/cluster/${uuid}`
  await until(async () => {
    const { status, body } = await api(path, { method: 'PATCH', json, headers })
    if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`)
    return true
  }, { withinMs: 60_000, what: 'the change being taken' })
}

export const datastoreOf = async (api: Api, uuid: string): Promise<DatastoreSeen> =>
  Datastore.parse((await api(`/api/deployment/v3/data-stores/${uuid}`)).body)

export const nodesOf = async (api: Api, uuid: string): Promise<readonly NodeSeen[]> =>
  Nodes.parse((await api(`/api/deployment/v2/data-stores/${uuid}/nodes`)).body).database_nodes

export const jobsOf = async (api: Api, uuid: string) =>
  Jobs.parse((await api(`/api/deployment/v2/data-stores/${uuid}/jobs`)).body)

export const jobOf = async (api: Api, uuid: string, jobId: string) =>
  JobDetail.parse((await api(`/api/deployment/v2/data-stores/${uuid}/jobs/${jobId}`)).body)

/** The newest job of that type once it has ended. */
export const endedJob = async (api: Api, uuid: string, type: string, withinMs = JOB_WITHIN_MS) => {
  let last = 'nothing was seen of it'
  try {
    return await until(async () => {
      const job = (await jobsOf(api, uuid)).jobs.find((one) => one.type === type)
      if (job !== undefined) last = `${job.status} at ${job.progress} %: ${job.text}`
      return job !== undefined && job.status !== 'JOB_STATUS_RUNNING' ? job : undefined
    }, { withinMs })
  } catch (cause) {
    throw new Error(`${type} of ${uuid} does not end: ${last}`, { cause })
  }
}

export const DEPLOY = 'JOB_TYPE_DEPLOY_DATASTORE'
export const DELETE = 'JOB_TYPE_DESTROY_DATASTORE'

export const started = async (api: Api, uuid: string, withinMs = JOB_WITHIN_MS): Promise<DatastoreSeen> => {
  const job = await endedJob(api, uuid, DEPLOY, withinMs)
  if (job.status !== 'JOB_STATUS_FINISHED') throw new Error(`the deployment failed: ${job.text}`)
  return until(async () => {
    const seen = await datastoreOf(api, uuid)
    return seen.cluster_status === 'STARTED' && seen.db_account.database_password !== null ? seen : undefined
  }, { withinMs: 30_000, what: 'the datastore being STARTED' })
}

export const removed = async (api: Api, uuid: string, withinMs = JOB_WITHIN_MS): Promise<void> => {
  const job = await endedJob(api, uuid, DELETE, withinMs)
  if (job.status !== 'JOB_STATUS_FINISHED') throw new Error(`the removal failed: ${job.text}`)
  await until(async () => (await api(`/api/deployment/v3/data-stores/${uuid}`)).status === 404, {
    withinMs: 30_000,
    what: 'the datastore being gone from the list',
  })
}

/** This machine, as machines that are local processes and those that are network namespaces see it. */
const THIS_MACHINE = '127.0.0.0/8;10.77.0.0/16'

/** Says that clients may connect from this machine, unless it was said, and waits until every server knows. */
export const trusted = async (api: Api, uuid: string): Promise<void> => {
  const path = `/api/firewall/api/v1/firewall`
  await until(async () => {
    const { status, body } = await api(`${path}s/${uuid}`)
    if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`)
    if (Array.isArray(body) && body.length > 0) return true
    const headers = { 'Idempotency-Key': `trust ${uuid}`.replaceAll(' ', '-') }
    await api(`${path}/${uuid}`, { method: 'POST', json: { source: THIS_MACHINE, description: 'this machine' }, headers })
    return false
  }, { withinMs: 60_000, what: 'this machine being trusted' })
  await until(async () => {
    const { jobs } = await jobsOf(api, uuid)
    return jobs.every(({ type, status }) => type !== 'JOB_TYPE_APPLY_FIREWALL' || status !== 'JOB_STATUS_RUNNING')
  }, { withinMs: JOB_WITHIN_MS, what: 'the firewall being applied' })
}

/** The certificate of the authority that a datastore's servers are to be checked against, as PEM. */
export const authorityOf = async (api: Api, uuid: string): Promise<string> =>
  z.object({ ca: z.string() }).parse((await api(`/api/prov/api/v2/cluster/${uuid}/ca`)).body).ca

export type Sql = (statement: string, to: {
  readonly host: string
  readonly password?: string
  /** As libpq has it; default `verify-full`. */
  readonly sslmode?: string
}) => Promise<string>

/**
 * Real `psql`, over TLS, against the certificate authority of the datastore, with addresses from the embedded DNS.
 *
 * @param work gets a function that gives what psql prints, and throws with what it complains of
 */
export const withSql = async (
  { dnsPort }: Pick<RunningInstance, 'dnsPort'>,
  api: Api,
  uuid: string,
  work: (sql: Sql) => Promise<void>,
): Promise<void> => {
  await trusted(api, uuid)
  const { db_account: account } = await datastoreOf(api, uuid)
  const ca = await authorityOf(api, uuid)
  const psql = (await testPrograms('postgres')).bin('psql')
  const folder = await mkdtemp(join(tmpdir(), 'ccx-psql-'))
  const rootCertificate = join(folder, 'ca.pem')
  await writeFile(rootCertificate, ca)
  const sql: Sql = async (statement, { host, password = account.database_password ?? '', sslmode = 'verify-full' }) => {
    const [address = 'no-address'] = await addressesOf({ port: dnsPort }, host)
    const env = {
      PGHOST: host, PGHOSTADDR: address, PGPORT: String(PORT), PGUSER: account.database_username,
      PGDATABASE: account.database_database, PGPASSWORD: password, PGSSLMODE: sslmode,
      PGSSLROOTCERT: rootCertificate, PGCONNECT_TIMEOUT: '10', LC_ALL: 'C.UTF-8', HOME: folder,
    }
    const args = ['--no-psqlrc', '--no-password', '--quiet', '--no-align', '--tuples-only', '--set=ON_ERROR_STOP=1']
    const child = spawn(psql, [...args, '--command', statement], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    if (code !== 0) throw new Error(err.trim())
    return out.trim()
  }
  try {
    await work(sql)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
