import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Resolver } from 'node:dns/promises'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { inheritedEnvironment } from '../../config.ts'
import { execute } from '../../embedded/execute.ts'
import { findPrograms } from '../../embedded/programs.ts'
import { followJob } from './follow-job.ts'
import { placeOf, programsPlace } from './place.ts'
import { liveReport } from './report.ts'
import { type RestClient, signIn } from './rest-client.ts'
import { parseOptions, UsageError, type Command } from './usage.ts'

const Created = z.object({ uuid: z.uuid() })
const Datastore = z.object({
  uuid: z.uuid(),
  cluster_status: z.string(),
  primary_url: z.string(),
  replica_url: z.string().nullable(),
  db_account: z.object({ database_username: z.string(), database_password: z.string(), database_database: z.string() }),
})
type Datastore = z.infer<typeof Datastore>
const Authority = z.object({ ca: z.string() })

/** This machine, as local processes and as network namespaces see it. */
const SOURCES = '127.0.0.0/8;10.77.0.0/16'

const READ =
  'select said, pg_is_in_recovery() as on_replica, ' +
  '(select ssl from pg_stat_ssl where pid = pg_backend_pid()) as tls from greeting'

export const demo: Command = async (args) => {
  const { values } = parseOptions(args, {
    options: {
      state: { type: 'string' },
      nodes: { type: 'string', default: '3' },
      cloud: { type: 'string', default: 'local' },
      region: { type: 'string', default: 'local-1' },
      keep: { type: 'boolean', default: false },
    },
  })
  if (!/^[1-5]$/.test(values.nodes)) throw new UsageError(`--nodes wants a number from 1 to 5, not ${values.nodes}`)
  const place = await placeOf(values.state)
  const report = liveReport(place.stateDir)
  if (report === undefined) throw new Error(`nothing runs in ${place.stateDir}; start it with ./ccx up`)
  const password = readFileSync(join(place.stateDir, 'secrets', 'admin-password'), 'utf8').trimEnd()
  const rest = await signIn(report.apiUrl, report.adminLogin, password)

  console.log(`A datastore with ${values.nodes} node(s) in ${values.cloud}:\n`)
  const began = performance.now()
  const { uuid } = await rest.call('POST', '/api/prov/api/v2/cluster', Created, {
    body: requestOf(Number(values.nodes), values.cloud, values.region),
    idempotencyKey: randomUUID(),
  })
  const deployed = await followJob(rest, uuid, (line) => console.log(`  ${line}`))
  if (!deployed.finished) throw new Error(`the datastore could not be deployed: ${deployed.because}`)
  console.log('\nNobody may connect until a source is trusted:\n')
  await rest.call('POST', `/api/firewall/api/v1/firewall/${uuid}`, z.object({}), {
    body: { source: SOURCES, description: 'this machine' },
    idempotencyKey: randomUUID(),
  })
  const opened = await followJob(rest, uuid, (line) => console.log(`  ${line}`))
  if (!opened.finished) throw new Error(`the firewall could not be opened: ${opened.because}`)
  console.log(`\n${seconds(began)} after it was asked for, it takes connections.\n`)

  const dnsPort = report.children.find(({ name }) => name === 'dns')?.ports[0]
  const dir = await programsPlace(place)
  const psql = (await findPrograms(['postgres'], { dir, env: inheritedEnvironment() })).bin('psql')
  await use(rest, uuid, { dnsPort, psql, keep: values.keep })
  if (values.keep) return 0

  const deleting = performance.now()
  console.log('\nDeleting it again:\n')
  await rest.call('DELETE', `/api/prov/api/v2/cluster/${uuid}`, z.object({}))
  const deleted = await followJob(rest, uuid, (line) => console.log(`  ${line}`))
  if (!deleted.finished) throw new Error(`the datastore could not be deleted: ${deleted.because}`)
  console.log(`\nGone, ${seconds(deleting)} after it was asked for. ./ccx demo --keep leaves it there.`)
  return 0
}

const seconds = (began: number): string => `${((performance.now() - began) / 1_000).toFixed(1)} s`

const requestOf = (size: number, cloud: string, region: string): object => ({
  general: { cluster_name: 'demo', cluster_size: size, db_vendor: 'postgres', tags: ['demo'] },
  cloud: { cloud_provider: cloud, cloud_region: region },
  instance: { instance_size: 'small' },
  network: { network_type: 'public' },
})

type Means = { readonly dnsPort: number | undefined; readonly psql: string; readonly keep: boolean }

/** Connects as a tenant would: by name, over TLS, with the datastore's own authority. */
const use = async (rest: RestClient, uuid: string, { dnsPort, psql, keep }: Means): Promise<void> => {
  const datastore = await rest.call('GET', `/api/deployment/v3/data-stores/${uuid}`, Datastore)
  const { ca } = await rest.call('GET', `/api/prov/api/v2/cluster/${uuid}/ca`, Authority)
  const folder = await mkdtemp(join(tmpdir(), 'ccx-demo-'))
  const caFile = join(folder, 'ca.pem')
  await writeFile(caFile, ca)
  try {
    const addressOf = resolverAt(dnsPort)
    const ask = async (name: string, sql: string): Promise<string> => {
      const target = await connectionOf(datastore, { name, caFile, addressOf })
      console.log(`  $ psql "${target}" -c "${sql}"`)
      const env = { ...inheritedEnvironment(), PGPASSWORD: datastore.db_account.database_password }
      return (await execute([psql, '-X', '-A', '-t', '-q', target, '-c', sql], { env, cwd: '/' })).trim()
    }
    await ask(datastore.primary_url, 'create table if not exists greeting (said text)')
    await ask(datastore.primary_url, "insert into greeting values ('hello from the primary')")
    const reader = datastore.replica_url ?? datastore.primary_url
    console.log(`  ${await readUntilThere(() => ask(reader, READ))}`)
    if (keep) {
      const { database_username: user, database_password: password, database_database: database } = datastore.db_account
      const name = datastore.primary_url
      const options = `sslmode=verify-full&hostaddr=${await addressOf(name)}`
      console.log(`\n  postgresql://${user}:${password}@${name}:5432/${database}?${options}`)
      console.log(`  the authority's certificate: GET /api/prov/api/v2/cluster/${uuid}/ca`)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Replication is asynchronous: the replica has the row a moment later. */
const readUntilThere = async (read: () => Promise<string>): Promise<string> => {
  for (let attempt = 1; ; attempt++) {
    const row = await read().catch((error: unknown) => {
      if (attempt >= 5) throw error
      return ''
    })
    if (row !== '' || attempt >= 5) return row
  }
}

type AddressOf = (name: string) => Promise<string>

/** This machine's resolver does not know the embedded name server, so it is asked directly. */
const resolverAt = (dnsPort: number | undefined): AddressOf => {
  const resolver = new Resolver()
  if (dnsPort !== undefined) resolver.setServers([`127.0.0.1:${dnsPort}`])
  return async (name) => {
    const [address] = await resolver.resolve4(name)
    if (address === undefined) throw new Error(`${name} has no address`)
    return address
  }
}

const connectionOf = async (
  { db_account: account }: Datastore,
  { name, caFile, addressOf }: { readonly name: string; readonly caFile: string; readonly addressOf: AddressOf },
): Promise<string> =>
  [
    `host=${name}`,
    `hostaddr=${await addressOf(name)}`,
    `user=${account.database_username}`,
    `dbname=${account.database_database}`,
    'sslmode=verify-full',
    `sslrootcert=${caFile}`,
  ].join(' ')
