import { spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Order, OrderResult, PlacedOrder } from '../../domain/job/orders.ts'
import { bootEveryMachine } from '../../infra/deployer/boot-all.ts'
import { deployer } from '../../infra/deployer/index.ts'
import type { Dns } from '../../infra/dns/dns.ts'
import { rfc2136 } from '../../infra/dns/rfc2136.ts'
import { tsigKey } from '../../infra/dns/tsig.ts'
import { dnsServer, type DnsServer } from '../../infra/embedded/dns/index.ts'
import { HostUnreachable, type Unit } from '../../infra/host.ts'
import { Failure, type Handle } from '../../infra/messaging/worker.ts'
import { CannotProvide, type Provider } from '../../infra/providers/provider.ts'
import { createLog } from '../../infra/telemetry/logger.ts'
import { bench, type Bench } from '../support/local-providers.ts'
import { placed } from '../support/orders.ts'
import { killAfter } from '../support/kill-after.ts'
import { openPersonalData } from '../support/personal-data.ts'
import { until } from '../support/until.ts'

const program = fileURLToPath(new URL('../support/deployer-process.ts', import.meta.url))
const log = createLog({ service: 'ccx-deployer', level: 'silent' })
const zone = 'ccx.test'
const secret = randomBytes(32).toString('base64')
const key = tsigKey('ccx-test', secret)
const instance = { code: 'tiny', cpu: 1, ramGb: 1 }

type World = { readonly bench: Bench; readonly server: DnsServer; readonly dns: Dns; readonly handle: Handle }

const begin = async (): Promise<World> => {
  const own = await bench()
  const server = await dnsServer({ host: '127.0.0.1', port: 0, zone, key, file: join(own.folder, 'dns', 'zone.jsonl') })
  const dns = rfc2136({ host: '127.0.0.1', port: server.port, zone, key })
  return { bench: own, server, dns, handle: deployer({ providers: own.providers, dns, personal: openPersonalData, log }) }
}

type Course = PlacedOrder['course']
type Carried = { readonly result: OrderResult; readonly notes: readonly string[] }

const carriedOut = async (handle: Handle, order: Order, course: Course = 'forward'): Promise<Carried> => {
  const notes: string[] = []
  const work = { signal: new AbortController().signal, note: (line: string) => void notes.push(line), progress: () => undefined }
  return { result: await handle(placed('ord_1', { order, course }), work), notes }
}

const failureOf = async (handle: Handle, order: Order): Promise<{ because: string; final: boolean }> => {
  const error: unknown = await carriedOut(handle, order).catch((cause: unknown) => cause)
  if (!(error instanceof Failure)) throw new Error('it does not fail as it should', { cause: error })
  return { because: error.because, final: error.final }
}

type Ids = Readonly<Record<'provider' | 'datastoreId' | 'networkId' | 'nodeId', string>>

const newIds = (provider: string): Ids => ({
  provider,
  datastoreId: randomUUID(),
  networkId: randomUUID(),
  nodeId: randomUUID(),
})

const deploying = ({ provider, datastoreId, networkId, nodeId }: Ids): readonly Order[] => {
  const node = { provider, datastoreId, nodeId }
  const names = [`${datastoreId}.${zone}`, `db-1.${datastoreId}.${zone}`]
  const machine = { ...node, networkId, name: 'db-1', region: 'here', zone: 'a', instance }
  return [
    { subject: 'infra.create-network', body: { provider, datastoreId, networkId, region: 'here' } },
    { subject: 'infra.create-machine', body: machine },
    { subject: 'infra.allocate-address', body: node },
    { subject: 'infra.create-volume', body: { ...node, type: 'local', sizeGib: 1 } },
    { subject: 'infra.boot-machine', body: node },
    {
      subject: 'infra.publish-names',
      body: { datastoreId, names: names.map((name) => ({ name, addresses: ['10.9.8.7'], ttlSeconds: 15 })) },
    },
  ]
}

const deleting = ({ provider, datastoreId, networkId, nodeId }: Ids): readonly Order[] => {
  const node = { provider, datastoreId, nodeId }
  return [
    { subject: 'infra.withdraw-names', body: { datastoreId, names: [`${datastoreId}.${zone}`] } },
    { subject: 'infra.delete-volume', body: node },
    { subject: 'infra.release-address', body: node },
    { subject: 'infra.delete-machine', body: node },
    { subject: 'infra.delete-network', body: { provider, datastoreId, networkId } },
  ]
}

const sweeping = ({ provider, datastoreId }: Ids): Order => ({
  subject: 'infra.sweep',
  body: { provider, datastoreId, suffix: `${datastoreId}.${zone}` },
})

const sleeper: Unit = {
  name: 'sleeper',
  argv: ['sleep', '1000'],
  stopSignal: 'SIGTERM',
  stopTimeoutMs: 5_000,
  reloadSignal: 'SIGHUP',
}

const held = async (provider: Provider, datastoreId: string): Promise<readonly string[]> =>
  (await provider.list(datastoreId)).map(({ kind }) => kind).toSorted()

/** Runs orders in a process of their own and kills it `afterMs` after it has carried out `steps` of them. */
const killedAfter = async (
  { bench: { folder }, server }: World,
  orders: readonly Order[],
  { steps, afterMs }: { readonly steps: number; readonly afterMs: number },
): Promise<void> => {
  const child = spawn(process.execPath, [program, folder, String(server.port), secret, JSON.stringify(orders)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  let lines = 0
  child.stdout.on('data', (chunk: Buffer) => {
    lines += chunk.toString().split('\n').length - 1
    if (lines >= steps) killAfter(child, afterMs)
  })
  await exited
}

const facts = (provider: Provider, world: World): void => {
  const test = suite(`deployer: ${provider.name}`)
  const { handle, dns } = world

  test('every order may be repeated, and a sweep after them finds nothing', async () => {
    const ids = newIds(provider.name)
    for (const order of deploying(ids)) {
      const { result } = await carriedOut(handle, order)
      assert.equal((await carriedOut(handle, order)).result, result)
    }
    assert.equal(await held(provider, ids.datastoreId), ['address', 'machine', 'network', 'volume'])
    for (const order of [...deleting(ids), ...deleting(ids)]) await carriedOut(handle, order)
    assert.equal(await held(provider, ids.datastoreId), [])
    await carriedOut(handle, sweeping(ids))
    assert.equal((await carriedOut(handle, sweeping(ids))).notes, ['Nothing is left'])
  })

  test('a sweep removes machines, volumes, addresses, networks and names of its datastore alone', async () => {
    const [ids, other] = [newIds(provider.name), newIds(provider.name)]
    for (const order of [...deploying(ids), ...deploying(other)]) await carriedOut(handle, order)
    await carriedOut(handle, sweeping(ids))
    assert.equal(await held(provider, ids.datastoreId), [])
    assert.equal(await dns.list(`${ids.datastoreId}.${zone}`), [])
    assert.equal(await held(provider, other.datastoreId), ['address', 'machine', 'network', 'volume'])
    assert.is((await dns.list(`${other.datastoreId}.${zone}`)).length, 2)
    await carriedOut(handle, sweeping(other))
  })

  test('a machine of another datastore is not touched', async () => {
    const ids = newIds(provider.name)
    for (const order of deploying(ids)) await carriedOut(handle, order)
    const body = { provider: provider.name, datastoreId: randomUUID(), nodeId: ids.nodeId }
    for (const subject of ['infra.delete-machine', 'infra.delete-volume', 'infra.boot-machine'] as const) {
      assert.equal(await failureOf(handle, { subject, body }), {
        because: 'The machine belongs to another datastore.',
        final: true,
      })
    }
    await carriedOut(handle, sweeping(ids))
  })

  test('units come back when everything on the machine was killed', async () => {
    const ids = newIds(provider.name)
    for (const order of deploying(ids)) await carriedOut(handle, order)
    const host = await provider.host(ids.nodeId)
    await host.start({ ...sleeper, argv: ['sh', '-c', 'echo $$ > pid; exec sleep 1000'] })
    // The file is there a moment before the pid is in it, and a kill of 0 would be one of this very process.
    const pidOf = async () => Number(await host.read(join(host.dataDir, 'pid'))) || undefined
    const pid = await until(pidOf, { withinMs: 10_000 })
    process.kill(pid, 'SIGKILL')
    await until(async () => !(await host.running(sleeper)), { withinMs: 10_000 })
    await bootEveryMachine({ providers: [provider], log })
    assert.ok(await host.running(sleeper))
    const again = await until(pidOf, { withinMs: 10_000 })
    await carriedOut(handle, sweeping(ids))
    assert.throws(() => process.kill(again, 0), ({ code }: NodeJS.ErrnoException) => code === 'ESRCH')
    assert.instance(await host.running(sleeper).catch((error: unknown) => error), HostUnreachable)
  })

  for (let steps = 0; steps < 6; steps++) {
    test(`a deployer that is killed after ${steps} orders leaves what can be finished or swept`, async () => {
      const ids = newIds(provider.name)
      const orders = [...deleting(ids).slice(1, 2), ...deploying(ids)]
      await killedAfter(world, orders, { steps: steps + 1, afterMs: steps * 9 })
      if (steps % 2 === 0) {
        for (const order of deploying(ids)) await carriedOut(handle, order)
        assert.equal(await held(provider, ids.datastoreId), ['address', 'machine', 'network', 'volume'])
      }
      await killedAfter(world, [...deleting(ids).slice(1, 2), sweeping(ids)], { steps: 1, afterMs: steps * 12 })
      await carriedOut(handle, sweeping(ids))
      assert.equal(await held(provider, ids.datastoreId), [])
      assert.equal(await dns.list(`${ids.datastoreId}.${zone}`), [])
    })
  }

  test.run()
}

const world = await begin()
const reasons = await Promise.all(world.bench.providers.map((provider) => provider.unavailable()))
for (const [i, provider] of world.bench.providers.entries()) {
  const reason = reasons[i]
  if (reason === undefined) facts(provider, world)
  else process.stdout.write(`SKIPPED provider ${provider.name}: ${reason}\n`)
}

const rest = suite('deployer')
const order = (provider: string): Order => ({
  subject: 'infra.create-network',
  body: { provider, datastoreId: 'dst_1', networkId: 'net_1', region: 'here' },
})

/** A provider that differs from a real one in a single verb. */
const differing = (verb: Partial<Provider>): Handle => {
  const [real] = world.bench.providers
  if (real === undefined) throw new Error('BUG: no provider is registered')
  return deployer({ providers: [{ ...real, ...verb, name: 'odd' }], dns: world.dns, personal: openPersonalData, log })
}

rest('an unknown provider is no use asking again', async () => {
  const because = 'There is no cloud nowhere here.'
  assert.equal(await failureOf(world.handle, order('nowhere')), { because, final: true })
})

rest('what a provider can never do is final, everything else is not, and only the former is told', async () => {
  const never = differing({ createNetwork: () => Promise.reject(new CannotProvide('every subnet is taken')) })
  assert.equal(await failureOf(never, order('odd')), {
    because: 'The cloud could not create the network: every subnet is taken.',
    final: true,
  })
  const maybe = differing({ createNetwork: () => Promise.reject(new Error('/inner/secret/path')) })
  const because = 'The cloud could not create the network.'
  assert.equal(await failureOf(maybe, order('odd')), { because, final: false })
})

rest('a provider that cannot work here says so at the first order', async () => {
  const absent = differing({ unavailable: async () => 'it needs root' })
  assert.equal(await failureOf(absent, order('odd')), { because: 'The cloud odd is not available.', final: true })
})

rest('a sweep does not take the names of others', async () => {
  const body = { provider: 'odd', datastoreId: 'dst_1', suffix: zone }
  assert.ok((await failureOf(differing({}), { subject: 'infra.sweep', body })).final)
})

rest('a sweep that cannot remove everything says so', async () => {
  const stubborn: Provider['list'] = async (datastoreId = '') => [
    { kind: 'network', resourceId: 'net_9', datastoreId, nodeId: null },
  ]
  const body = { provider: 'odd', datastoreId: 'dst_1', suffix: `dst_1.${zone}` }
  assert.equal(await failureOf(differing({ list: stubborn }), { subject: 'infra.sweep', body }), {
    because: 'Something of the datastore is still there.',
    final: false,
  })
})

const STAYS = ['the names stay where they lead, for a newer decision goes before']

/** As a job of that epoch would lead the name of the primary. */
const leading = (datastoreId: string, address: string, epoch: number | undefined): Order => ({
  subject: 'infra.publish-names',
  body: {
    datastoreId,
    names: [{ name: `${datastoreId}.${zone}`, addresses: [address], ttlSeconds: 15 }],
    ...(epoch === undefined ? {} : { epoch }),
  },
})
const led = async (datastoreId: string) =>
  (await world.dns.list(datastoreId + `.${zone}`)).filter(({ name }) => name === `${datastoreId}.${zone}`)
    .flatMap(({ addresses }) => addresses)

rest('a name stays where the newest decision has led it, whichever deployer hears of an older one later', async () => {
  const datastoreId = randomUUID()
  const fresh = (): Handle => differing({})
  await carriedOut(fresh(), leading(datastoreId, '10.9.0.1', 4))
  await carriedOut(fresh(), leading(datastoreId, '10.9.0.2', 5))
  assert.equal((await carriedOut(fresh(), leading(datastoreId, '10.9.0.1', 4))).notes, STAYS)
  assert.equal(await led(datastoreId), ['10.9.0.2'])
  const replica: Order = {
    subject: 'infra.withdraw-names', body: { datastoreId, names: [`replica.${datastoreId}.${zone}`], epoch: 4 },
  }
  assert.equal((await carriedOut(fresh(), replica)).notes, STAYS)
  await carriedOut(fresh(), leading(datastoreId, '10.9.0.3', 5))
  assert.equal(await led(datastoreId), ['10.9.0.3'])
})

rest('names of jobs from before there were epochs yield to all others', async () => {
  const datastoreId = randomUUID()
  await carriedOut(world.handle, leading(datastoreId, '10.9.1.1', 0))
  await carriedOut(world.handle, leading(datastoreId, '10.9.1.2', 1))
  assert.equal((await carriedOut(world.handle, leading(datastoreId, '10.9.1.1', 0))).notes, STAYS)
  assert.equal(await led(datastoreId), ['10.9.1.2'])
})

rest('names that nobody else speaks of are published whatever was decided since', async () => {
  const datastoreId = randomUUID()
  await carriedOut(world.handle, leading(datastoreId, '10.9.2.1', 5))
  const names = [{ name: `db-9.${datastoreId}.${zone}`, addresses: ['10.9.2.9'], ttlSeconds: 15 }]
  await carriedOut(world.handle, { subject: 'infra.publish-names', body: { datastoreId, names } })
  assert.ok((await world.dns.list(`${datastoreId}.${zone}`)).some(({ name }) => name.startsWith('db-9.')))
})

rest('of names that are withdrawn for good nothing is kept', async () => {
  const datastoreId = randomUUID()
  const names = [`${datastoreId}.${zone}`, `replica.${datastoreId}.${zone}`]
  await carriedOut(world.handle, leading(datastoreId, '10.9.4.1', 1))
  await carriedOut(world.handle, { subject: 'infra.withdraw-names', body: { datastoreId, names } }, 'back')
  assert.equal(await world.dns.list(`${datastoreId}.${zone}`), [])
})

rest('what a job ordered before it unwound does not come back, and nothing of it outlives a sweep', async () => {
  const datastoreId = randomUUID()
  const withdraw: Order = {
    subject: 'infra.withdraw-names', body: { datastoreId, names: [`${datastoreId}.${zone}`], epoch: 1 },
  }
  await carriedOut(world.handle, leading(datastoreId, '10.9.3.1', 1))
  await carriedOut(world.handle, withdraw, 'back')
  assert.equal((await carriedOut(world.handle, leading(datastoreId, '10.9.3.1', 1))).notes, STAYS)
  assert.equal(await led(datastoreId), [])
  await carriedOut(world.handle, leading(datastoreId, '10.9.3.2', 2))
  assert.equal(await led(datastoreId), ['10.9.3.2'])
  const suffix = `${datastoreId}.${zone}`
  const empty = differing({ list: async () => [] })
  await carriedOut(empty, { subject: 'infra.sweep', body: { provider: 'odd', datastoreId, suffix } })
  assert.equal(await world.dns.list(suffix), [])
})

rest('an order whose time is up is not begun', async () => {
  const late = new Error('late')
  const work = { signal: AbortSignal.abort(late), note: () => undefined, progress: () => undefined }
  const error: unknown = await differing({})(placed('ord_1', { order: order('odd') }), work).catch(
    (cause: unknown) => cause,
  )
  assert.is(error, late)
})

rest.after(async () => {
  await world.server.close()
  await world.bench.clear()
})
rest.run()
