import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ClusterRef, FencedBy, Prefer } from '../../domain/job/orders.ts'
import { engines } from '../../infra/engines/index.ts'
import type { Engine } from '../../infra/engines/engine.ts'
import { HostUnreachable } from '../../infra/host.ts'
import { fence } from '../../infra/controller/fence.ts'
import { nodes } from '../../infra/controller/nodes.ts'
import { Failure } from '../../infra/messaging/worker.ts'
import type { Provider } from '../../infra/providers/provider.ts'
import { work } from '../support/controller-world.ts'
import { clusterOf, controllerStores } from '../support/controller-stores.ts'
import { deafMachines } from '../support/deaf-machines.ts'

const test = suite('the fence of a lost primary')
const [kind] = controllerStores
const [engine] = engines
if (kind === undefined || engine === undefined) throw new Error('BUG: there is a store, and an engine')
const server = await kind.start()
const store = server.store()
await store.migrate()

test.after(async () => {
  await store.close()
  await server.stop()
})

const now = () => new Date().toISOString()
const never = (): Promise<never> => new Promise(() => undefined)
const unreachable = (): Promise<never> => Promise.reject(new HostUnreachable())

type Scene = {
  readonly cluster: ClusterRef
  readonly engine?: Partial<Engine>
  readonly provider?: Partial<Provider>
  readonly prefer?: Prefer
  readonly limitMs?: number
}

const fenced = async ({ cluster, engine: verbs, provider, prefer = 'consistency', limitMs = 10_000 }: Scene) => {
  const { lines, ...rest } = work()
  const own: Engine = { ...engine, name: cluster.engine, ...verbs }
  const parts = { nodes: nodes({ engines: [own], providers: [{ ...deafMachines, ...provider }] }), store, now }
  const notAfter = new Date(Date.now() + limitMs).toISOString()
  const nodeId = cluster.nodes[0]?.nodeId ?? ''
  const by = await fence(parts, { cluster, nodeId, prefer, notAfter }, rest).then((it: FencedBy) => it, (it: unknown) => it)
  return { by, lines }
}

const registered = async (datastoreId: string, epoch = 1): Promise<ClusterRef> => {
  const cluster = { ...clusterOf(datastoreId), epoch }
  await store.registerCluster(cluster, now())
  return cluster
}

test('counts as soon as its server is stopped, and nothing else is done then', async () => {
  const cluster = await registered('stopped')
  const calls: string[] = []
  const { by, lines } = await fenced({
    cluster,
    engine: { fence: async ({ member }) => void calls.push(`stop ${member.nodeId}`), standing: () => unreachable() },
    provider: { fence: async (nodeId) => void calls.push(`power off ${nodeId}`) },
  })
  assert.is(by, 'server-stopped')
  assert.equal(calls, ['stop stopped-a'])
  assert.equal(lines, ['the server of db-a is stopped, and takes no writes when it is started again'])
})

test('is on record before anything is done', async () => {
  const cluster = await registered('recorded', 7)
  const seen: unknown[] = []
  await fenced({ cluster, engine: { fence: async () => void seen.push(await store.standing('recorded')) } })
  assert.equal(seen, [{ epoch: 7, primaryId: null, fenced: { 'recorded-a': 7 } }])
})

test('is by power where the machine does not answer, or answers too late', async () => {
  for (const stop of [unreachable, never]) {
    const cluster = await registered('off')
    assert.is((await fenced({ cluster, engine: { fence: stop }, provider: { fence: async () => undefined } })).by, 'powered-off')
  }
})

test('is by the lease where nothing can be reached, once a replica has stopped receiving', async () => {
  const cluster = await registered('leased')
  await store.leased('leased-a', 200, ['db-b'])
  const asked: string[] = []
  const { by, lines } = await fenced({
    cluster,
    engine: {
      fence: unreachable,
      standing: async ({ member }) => {
        asked.push(member.nodeId)
        return { positionBytes: 1, timeline: 1 }
      },
    },
    provider: { fence: unreachable },
  })
  assert.is(by, 'lease-ran-out')
  assert.equal(asked, ['leased-b'])
  assert.is(lines.at(-1), 'the lease of db-a has run out')
})

test('is not by the lease while only a replica has stopped that the lease does not name', async () => {
  const cluster = await registered('unnamed')
  await store.leased('unnamed-a', 50, ['db-z'])
  const standing = async () => ({ positionBytes: 1, timeline: 1 })
  const nobody = { fence: unreachable }
  const { by } = await fenced({ cluster, engine: { ...nobody, standing }, provider: nobody, limitMs: 2_500 })
  assert.instance(by, Failure)
})

test('is not by a lease that nobody has told of, nor while every replica may still reply', async () => {
  const nobody = { fence: unreachable }
  for (const [datastoreId, ttlMs] of [['without', null], ['replying', 50]] as const) {
    const cluster = await registered(datastoreId)
    await store.leased(`${datastoreId}-a`, ttlMs, ['db-b'])
    const { by } = await fenced({ cluster, engine: { ...nobody, standing: unreachable }, provider: nobody, limitMs: 2_500 })
    assert.instance(by, Failure)
    assert.equal(by instanceof Failure && [by.because, by.final], [
      'It could not be made certain that db-a takes no more writes.', false,
    ])
  }
})

test('that is not certain keeps nobody from going on who prefers availability', async () => {
  const cluster = await registered('available')
  const { by, lines } = await fenced({
    cluster, engine: { fence: unreachable }, provider: { fence: unreachable }, prefer: 'availability', limitMs: 2_000,
  })
  assert.is(by, 'nothing')
  assert.is(lines.at(-1), 'it is not certain that db-a takes no more writes, but availability is preferred')
})

test('is refused for good once a newer decision was made, and touches nothing', async () => {
  const cluster = await registered('newer', 3)
  await store.claimPromotion('newer', 4, 'newer-a')
  const calls: string[] = []
  const { by } = await fenced({ cluster, engine: { fence: async () => void calls.push('stop') } })
  assert.equal(by instanceof Failure && [by.because, by.final], ['The primary has been changed by a newer decision.', true])
  assert.equal([calls, (await store.standing('newer'))?.fenced], [[], {}])
})

test('may be repeated, also after it was stopped half-way', async () => {
  const cluster = await registered('again')
  for (let n = 0; n < 2; n++) {
    assert.is((await fenced({ cluster, engine: { fence: async () => undefined } })).by, 'server-stopped')
  }
})

test.run()
