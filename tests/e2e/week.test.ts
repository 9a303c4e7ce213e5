// limit: 1200 s
import { Socket } from 'node:net'
import pg from 'pg'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { settingsFor } from '../../infra/engines/postgresql/settings.ts'
import {
  authorityOf, createInsistently, datastoreOf, jobsOf, nodesOf, order, remove, removed, started, withSql,
} from '../support/datastores.ts'
import { addressesOf } from '../support/dns-client.ts'
import { dice } from '../support/history-world.ts'
import { type Api, type RunningInstance, startInstance } from '../support/instance.ts'
import { leftOf, rebuiltDiffers, tracesOf } from '../support/leftovers.ts'
import { until } from '../support/until.ts'
import { databasesOf, isIdle, MOVES, pickOf, usersOf, type Week } from '../support/week-moves.ts'

// A week in a minute: what tenants do on any day, in an order that a seed gives. A seed as argument plays another week.
const week = suite('a week of changes')

const SEED = Number(process.argv[2] ?? 7)
const DAYS = 7
const MOVES_A_DAY = 12
const SIZES = [1, 2, 3] as const
const IDLE_WITHIN_MS = 240_000
const GROUPS = [
  { log_statement: 'ddl', max_locks_per_transaction: '96', random_page_cost: '2' },
  { log_statement: 'mod', max_locks_per_transaction: '128', random_page_cost: '3' },
] as const

let instance: RunningInstance
let api: Api
let groups: readonly string[]
const uuids: string[] = []

week.before(async () => {
  instance = await startInstance({ separate: false })
  ;({ api } = instance)
})
week.after(() => instance?.down())

const Group = z.object({ uuid: z.string() })
const groupPath = '/api/db-configuration/v1/parameter-groups'

const makeGroup = async (parameters: Readonly<Record<string, string>>, n: number): Promise<string> => {
  const about = { database_vendor: 'postgres', database_version: '15', database_type: 'postgres_streaming' }
  const json = { name: `g${n}`, ...about, parameters: { ...parameters } }
  const { status, body } = await api(groupPath, { method: 'POST', json })
  assert.is(status, 201, JSON.stringify(body))
  return Group.parse(body).uuid
}

/** A socket that connects from an address of our choice. */
const socketFrom = (localAddress: string): Socket => {
  const socket = new Socket()
  const connect = socket.connect.bind(socket)
  return Object.assign(socket, { connect: (port: number, host: string) => connect({ port, host, localAddress }) })
}

const idle = (uuid: string): Promise<unknown> =>
  until(() => isIdle(api, uuid), { withinMs: IDLE_WITHIN_MS, what: `the end of the jobs of ${uuid}` })

week('is lived through', async () => {
  console.log(`seed ${SEED}`)
  groups = await Promise.all(GROUPS.map(makeGroup))
  for (const size of SIZES) uuids.push(await createInsistently(api, order({ name: `of ${size}`, size })))
  for (const uuid of uuids) await started(api, uuid, IDLE_WITHIN_MS)
  const json = { source: '127.0.0.1', description: 'this machine' }
  for (const uuid of uuids) assert.is((await api(`/api/firewall/api/v1/firewall/${uuid}`, { method: 'POST', json })).status, 201)
  const roll = dice(SEED)
  const own: Week = { api, roll, groups, passwords: new Map() }
  const done: string[] = []
  for (let day = 0; day < DAYS; day++) {
    for (let n = 0; n < MOVES_A_DAY; n++) {
      const name = pickOf(roll, Object.keys(MOVES)) ?? ''
      const uuid = pickOf(roll, uuids) ?? ''
      const { status, body } = (await MOVES[name]?.(own, uuid)) ?? { status: 0, body: null }
      done.push(`${uuid.slice(0, 4)} ${name}: ${status}`)
      assert.ok(status >= 200 && status < 500 && status !== 401, `${done.join('\n')}\n${JSON.stringify(body)}`)
    }
    for (const uuid of uuids) await idle(uuid)
  }
  for (const uuid of uuids) {
    const { cluster_status: status } = await datastoreOf(api, uuid)
    if (status === 'STOPPED') assert.is((await MOVES['start']?.(own, uuid))?.status, 202)
    await idle(uuid)
    for (const { type, text } of (await jobsOf(api, uuid)).jobs) assert.not.match(text, /^Failed/, `${type}\n${done.join('\n')}`)
    assert.is((await datastoreOf(api, uuid)).cluster_status, 'STARTED')
  }
})

week('leaves exactly the machines, volumes, addresses and names that are meant to be', async () => {
  assert.is(uuids.length, SIZES.length)
  for (const uuid of uuids) {
    const nodes = await nodesOf(api, uuid)
    const held = (await Promise.all(instance.providers().map((provider) => provider.list(uuid)))).flat()
    for (const kind of ['machine', 'volume', 'address'] as const) {
      const found = held.filter((one) => one.kind === kind).map(({ nodeId }) => nodeId ?? '')
      assert.equal(found.toSorted(), nodes.map(({ host_uuid: id }) => id).toSorted(), `${kind}s of ${uuid}`)
    }
    assert.is(held.filter(({ kind }) => kind === 'network').length, 1)
    const { dnsPort } = instance
    const of = (role: string) => nodes.flatMap((node) => (node.role === role ? (node.private_ip ?? []) : [])).toSorted()
    assert.equal((await addressesOf({ port: dnsPort }, `${uuid}.ccx.test`)).toSorted(), of('primary'))
    if (nodes.length > 1) {
      assert.equal((await addressesOf({ port: dnsPort }, `replica.${uuid}.ccx.test`)).toSorted(), of('replica'))
    }
    for (const { fqdn, private_ip: address } of nodes) assert.equal(await addressesOf({ port: dnsPort }, fqdn), [address])
  }
})

const Sized = z.object({ database_nodes: z.array(z.object({ host_uuid: z.string(), instance_type: z.string() })) })
const Parameters = z.object({ parameter_group_id: z.string().nullable() })
const Values = z.object({ db_parameters: z.record(z.string(), z.string()) })

week('leaves servers with the roles, settings, users and databases that the API tells of', async () => {
  const sizes = readCatalogue().clouds.flatMap(({ instances }) => instances)
  for (const uuid of uuids) {
    const nodes = await nodesOf(api, uuid)
    const sized = Sized.parse((await api(`/api/deployment/v2/data-stores/${uuid}/nodes`)).body).database_nodes
    const { parameter_group_id: groupId } = Parameters.parse((await api(`/api/deployment/v3/data-stores/${uuid}`)).body)
    const values = groupId ? Values.parse((await api(`${groupPath}/${groupId}`)).body).db_parameters : {}
    await withSql(instance, api, uuid, async (sql) => {
      for (const { fqdn, role, host_uuid: nodeId } of nodes) {
        const at = (statement: string) => sql(statement, { host: fqdn })
        assert.is(await at('select pg_is_in_recovery()'), role === 'primary' ? 'f' : 't', fqdn)
        for (const [name, value] of Object.entries(values)) assert.is(await at(`show ${name}`), value, `${name} of ${fqdn}`)
        const type = sized.find((one) => one.host_uuid === nodeId)?.instance_type
        const size = sizes.find((one) => one.type === type)
        if (size === undefined) throw new Error(`BUG: no size ${type}`)
        assert.is(await at('show shared_buffers'), settingsFor(size, size)['shared_buffers'], fqdn)
      }
      const host = `${uuid}.ccx.test`
      const list = async (statement: string) =>
        (await sql(statement, { host })).split('\n').filter((line) => line !== '').toSorted()
      const logins = await list(`select rolname from pg_roles where rolcanlogin and rolname in ('ann', 'ben', 'cleo', 'dora')`)
      assert.equal((await usersOf(api, uuid)).filter((name) => /^(ann|ben|cleo|dora)$/.test(name)).toSorted(), logins)
      const bases = await list(`select datname from pg_database where datname in ('sales', 'stock', 'staff')`)
      assert.equal((await databasesOf(api, uuid)).filter((name) => /^(sales|stock|staff)$/.test(name)).toSorted(), bases)
      if (nodes.length > 1) assert.is(await sql('select count(*) from pg_stat_replication', { host }), `${nodes.length - 1}`)
    })
  }
})

const Sources = z.array(z.object({ source: z.string() }))

/** A connection from that address of this machine. */
const isLetIn = async (uuid: string, localAddress: string): Promise<boolean> => {
  const [node] = await nodesOf(api, uuid)
  const { db_account: account, primary_url: servername } = await datastoreOf(api, uuid)
  const client = new pg.Client({
    host: node?.private_ip ?? '', port: 5432, user: account.database_username, database: account.database_database,
    password: account.database_password ?? '', connectionTimeoutMillis: 5_000,
    ssl: { ca: await authorityOf(api, uuid), servername: servername ?? '' },
    stream: () => socketFrom(localAddress),
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.end()
    return true
  } catch (cause) {
    assert.match(String(cause), /no pg_hba.conf entry/)
    return false
  }
}

week('leaves servers that let in the sources that are trusted, and nobody else', async () => {
  for (const uuid of uuids) {
    const { body } = await api(`/api/firewall/api/v1/firewalls/${uuid}`)
    const sources = Sources.parse(body).map(({ source }) => source)
    for (const n of [1, 2]) {
      assert.is(await isLetIn(uuid, `127.0.${n}.9`), sources.includes(`127.0.${n}.0/24`), `${n} of ${sources.join(', ')}`)
    }
  }
})

week('is told by the read models as it is told by the log', async () => {
  assert.equal((await rebuiltDiffers(instance)).differences, [])
})

week('leaves nothing behind once everything is deleted', async () => {
  const traces = await Promise.all(uuids.map((uuid) => tracesOf(instance, uuid)))
  for (const uuid of uuids) await remove(api, uuid)
  for (const uuid of uuids) await removed(api, uuid, IDLE_WITHIN_MS)
  for (const trace of traces) assert.equal(await leftOf(instance, trace), [])
})

week.run()
