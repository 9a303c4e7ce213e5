import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { engines } from '../../infra/engines/index.ts'
import type { Engine, NodeContext } from '../../infra/engines/engine.ts'
import { account, clientOf, type EngineWorld, engineWorld, limited } from '../support/engine-world.ts'
import type { Network } from '../support/local-machines.ts'
import { bench } from '../support/local-providers.ts'
import { until } from '../support/until.ts'

const withinMs = 20_000
const [A, B, C] = [0, 1, 2] as const

/** Why there are no machines of that kind here; undefined when there are. */
const whyNot = async (network: Network): Promise<string | undefined> => {
  const { providers, clear } = await bench()
  try {
    const provider = providers.find(({ capabilities }) => capabilities.has('own-network') === (network === 'own'))
    return provider === undefined ? 'there is no such provider' : await provider.unavailable()
  } finally {
    await clear()
  }
}

const twice = async (verb: () => Promise<void>): Promise<void> => {
  await verb()
  await verb()
}

const facts = suite('the members of a datastore')
const ending: (() => Promise<void>)[] = []
facts.after(async () => {
  for (const end of ending.toReversed()) await end()
})

/** Whoever shares the others' machine has their address, so only a network of one's own tells members from the rest. */
const members = (engine: Engine, network: Network): void => {
  const test = (fact: string, shows: () => Promise<void>) =>
    facts(`${engine.name}, their network ${network}: ${fact}`, shows)
  const client = clientOf(engine)
  let built: EngineWorld | undefined
  let staying: Awaited<ReturnType<typeof client.stay>> | undefined
  let serverSide = ''

  const world = (): EngineWorld => {
    if (built === undefined) throw new Error('BUG: the world is built first')
    return built
  }
  /** A node as it is told of these members only. */
  const among = (i: number, ...those: readonly number[]): NodeContext => ({
    ...world().node(i),
    members: those.map((one) => world().node(one).member),
  })
  const primary = () => world().node(A).member
  const join = (i: number, ...those: readonly number[]) => engine.join(among(i, ...those), primary())
  const configure = (i: number, ...those: readonly number[]) => engine.configure(among(i, ...those), primary())
  const write = (value: number) => client.write(world().connection(A), value)
  const reads = (i: number, values: readonly number[]) =>
    until(async () => String(await client.read(world().connection(i))) === String(values), { withinMs })
  const keepsFor = () => client.keepsFor(world().connection(A))
  const isNotCut = async (): Promise<void> => assert.is(await staying?.serverSide(), serverSide)
  const isLetIn = (i: number): Promise<boolean> => join(i, A, B, C).then(() => true, () => false)

  test('the first is alone and takes writes', async () => {
    const here = await engineWorld(engine, '0198d0ad', network)
    built = here
    ending.push(here.remove)
    for (const i of [A, B, C]) await engine.install(among(i, i))
    await engine.bootstrap(among(A, A))
    await engine.createAccount(among(A, A), account)
    await write(1)
    const own = await client.stay(world().connection(A))
    staying = own
    ending.push(own.close)
    serverSide = await own.serverSide()
    assert.equal(await keepsFor(), [])
  })

  if (network === 'own') {
    test('a machine that is no member is not let in', async () => assert.is(await isLetIn(B), false))
  }

  test('a new member is let in by a primary that is told of it, twice, and no connection is cut', async () => {
    await twice(() => configure(A, A, B))
    await join(B, A, B)
    await write(2)
    await reads(B, [1, 2])
    assert.equal(await keepsFor(), ['db-b'])
    await isNotCut()
  })

  test('a replica that is told of another goes on following, and no connection to it is cut', async () => {
    const reader = await client.stay(world().connection(B))
    try {
      const before = await reader.serverSide()
      for (const i of [A, B]) await twice(() => configure(i, A, B, C))
      await join(C, A, B, C)
      await write(3)
      for (const i of [B, C]) await reads(i, [1, 2, 3])
      assert.equal((await engine.probe(among(A, A, B, C))).streaming, ['db-b', 'db-c'])
      assert.is(await reader.serverSide(), before)
      await isNotCut()
    } finally {
      await reader.close()
    }
  })

  test('being told is made good by the next time, wherever it was cut off', async () => {
    for (const limitMs of [10, 40, 120]) {
      await engine.configure(limited(among(A, A, B, C), limitMs), primary()).catch(() => {})
    }
    await configure(A, A, B, C)
    assert.equal(await keepsFor(), ['db-b', 'db-c'])
    await isNotCut()
  })

  test('nothing is kept for a member that was taken out, although nobody has said that it is forgotten', async () => {
    await engine.erase(world().node(C).host)
    await until(async () => String((await engine.probe(among(A, A, B, C))).streaming) === 'db-b', { withinMs })
    assert.equal(await keepsFor(), ['db-b', 'db-c'])
    for (const i of [A, B]) await twice(() => configure(i, A, B))
    assert.equal(await keepsFor(), ['db-b'])
    await write(4)
    await reads(B, [1, 2, 3, 4])
    await isNotCut()
  })

  if (network === 'own') {
    test('a member that was taken out is let in no more', async () => {
      await engine.install(among(C, A, B, C))
      assert.is(await isLetIn(C), false)
      assert.equal(await keepsFor(), ['db-b'])
    })
  }

  test('the last replica goes without the primary noticing', async () => {
    await engine.erase(world().node(B).host)
    await engine.forget(among(A, A, B), world().node(B).member)
    await twice(() => configure(A, A))
    assert.equal(await keepsFor(), [])
    assert.equal(await engine.probe(among(A, A)), { role: 'primary', readOnly: false, lagBytes: null, streaming: [] })
    await write(5)
    await isNotCut()
  })

  test('a machine without data has no members to be told of', async () => {
    const error = await configure(B, A, B).then(() => undefined, (it: unknown) => it)
    assert.instance(error, Error)
    assert.is((await engine.probe(among(B, A, B))).role, 'down')
  })
}

for (const network of ['shared', 'own'] as const) {
  const reason = await whyNot(network)
  if (reason === undefined) for (const engine of engines) members(engine, network)
  else console.log(`SKIPPED the members of a datastore, their network ${network}: ${reason}`)
}
facts.run()
