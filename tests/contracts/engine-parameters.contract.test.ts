import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { NodeContext } from '../../infra/engines/engine.ts'
import { engines } from '../../infra/engines/index.ts'
import { account, clientOf, type EngineWorld, engineWorld } from '../support/engine-world.ts'
import { type ParameterSamples, parameterSamples } from '../support/parameter-samples.ts'
import { until } from '../support/until.ts'

const [A, B, C] = [0, 1, 2] as const
const withinMs = 20_000

type Values = Readonly<Record<string, string>>

for (const engine of engines) {
  const test = suite(`the parameters of ${engine.name}`)
  const client = clientOf(engine)
  let world: EngineWorld | undefined
  const built = (): EngineWorld => {
    if (world === undefined) throw new Error('BUG: the world is built first')
    return world
  }
  const samples = (): ParameterSamples => {
    const found = parameterSamples[engine.name]
    if (found === undefined) throw new Error(`tests/support/parameter-samples.ts has nothing of ${engine.name}`)
    return found
  }
  const among = (i: number, those: readonly number[], parameters: Values): NodeContext => ({
    ...built().node(i),
    members: those.map((one) => built().node(one).member),
    parameters,
  })
  const node = (i: number, parameters: Values): NodeContext => among(i, [A, B, C], parameters)
  const primary = () => built().node(A).member
  const apply = (i: number, parameters: Values, restart = false): Promise<void> =>
    engine.applyParameters(node(i, parameters), primary(), { restart })
  const why = (work: Promise<void>): Promise<string> =>
    work.then(() => 'done', (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : ''))
  const ask = (i: number, statement: string): Promise<string> => client.ask(built().connection(i), statement)
  const shown = (i: number, name: string): Promise<string> => ask(i, samples().show(name))
  const streams = (...names: readonly string[]) =>
    until(async () => String((await engine.probe(node(A, {}))).streaming) === String(names), { withinMs })

  test.before(async () => {
    world = await engineWorld(engine, '0198d0ab')
    for (const i of [A, B, C]) await engine.install(node(i, {}))
    await engine.bootstrap(among(A, [A], {}))
    await engine.createAccount(node(A, {}), account)
  })
  test.after(async () => {
    await world?.remove()
  })

  test('are taken over by a single server that runs, twice, and no connection is cut', async () => {
    const [name, value] = samples().reloaded
    const before = await shown(A, name)
    const stays = await client.stay(built().connection(A))
    try {
      const session = await stays.serverSide()
      for (let n = 0; n < 2; n++) await engine.applyParameters(among(A, [A], { [name]: value }), primary(), { restart: true })
      assert.is(await shown(A, name), value)
      assert.is(await stays.serverSide(), session)
      await engine.applyParameters(among(A, [A], {}), primary(), { restart: false })
      assert.is(await shown(A, name), before)
      assert.is(await stays.serverSide(), session)
    } finally {
      await stays.close()
    }
  })

  test('that take a restart get one from a single server, where it is allowed', async () => {
    const [name, value] = samples().restarted
    const before = await shown(A, name)
    const one = among(A, [A], { [name]: value })
    await client.write(built().connection(A), 1)
    await engine.applyParameters(one, primary(), { restart: false })
    assert.is(await shown(A, name), before)
    assert.equal((await engine.probe(one)).drifted, [name], 'it waits for a restart')
    await engine.applyParameters(one, primary(), { restart: true })
    assert.is(await shown(A, name), value)
    assert.is((await engine.probe(one)).drifted, undefined)
    assert.equal(await client.read(built().connection(A)), [1])
  })

  test('go to members that join, and every member takes them over', async () => {
    const [kept, held] = samples().restarted
    const [name, value] = samples().reloaded
    const parameters = { [kept]: held, [name]: value }
    await engine.configure(node(A, parameters), primary())
    for (const i of [B, C]) await engine.join(node(i, parameters), primary())
    await streams('db-b', 'db-c')
    for (const i of [A, B, C]) {
      assert.is(await shown(i, kept), held)
      assert.is(await shown(i, name), value)
    }
    for (const i of [B, C, A]) await apply(i, {}, true)
    await streams('db-b', 'db-c')
    for (const i of [A, B, C]) assert.is.not(await shown(i, kept), held)
  })

  test('of which a replica needs as many are raised on the replicas, then on the primary', async () => {
    const { name, more, unchosen } = samples().needed
    for (const i of [B, C]) await apply(i, { [name]: more }, true)
    assert.equal(await Promise.all([A, B, C].map((i) => shown(i, name))), [unchosen, more, more])
    await apply(A, { [name]: more }, true)
    await streams('db-b', 'db-c')
    assert.is(await shown(A, name), more)
  })

  test('that a server does not start without are refused with its reason, and it has the old ones back', async () => {
    const { name, more } = samples().needed
    await ask(A, samples().occupy)
    const because = await why(apply(A, {}, true))
    assert.match(because, /^CannotServe: the server does not start with them, .*prepared transactions/)
    assert.not.match(because, new RegExp(built().node(A).host.dataDir))
    assert.is((await engine.probe(node(A, {}))).role, 'down')
    await apply(A, { [name]: more }, true)
    assert.is(await shown(A, name), more)
    await ask(A, samples().free)
    await streams('db-b', 'db-c')
  })

  test('are lowered on the primary first: until then a replica keeps what it needs', async () => {
    const { name, more, unchosen } = samples().needed
    await apply(B, {}, true)
    assert.is(await shown(B, name), more)
    await apply(A, {}, true)
    await streams('db-b', 'db-c')
    for (const i of [B, C]) await apply(i, {}, true)
    assert.equal(await Promise.all([A, B, C].map((i) => shown(i, name))), [unchosen, unchosen, unchosen])
    await streams('db-b', 'db-c')
  })

  test('that are malformed are refused by name, and the server is not touched', async () => {
    const [name, value] = samples().malformed
    const before = await shown(A, name)
    const because = await why(apply(A, { [name]: value }, true))
    assert.match(because, new RegExp(`^CannotServe: the server refuses them, .*"?${name}"?`))
    assert.is(await shown(A, name), before)
    assert.is((await engine.probe(node(A, {}))).drifted, undefined)
  })

  test('that were changed past the control plane are seen, and put right by the next time they are applied', async () => {
    const [name, value] = samples().reloaded
    const [other, pending] = samples().restarted
    await samples().meddle(built().node(B), [name, value])
    await engine.configure(node(B, {}), primary())
    await until(async () => String((await engine.probe(node(B, {}))).drifted) === name, { withinMs })
    await apply(B, {})
    assert.is((await engine.probe(node(B, {}))).drifted, undefined)
    assert.is.not(await shown(B, name), value)
    await samples().meddle(built().node(B), [other, pending])
    await engine.stop(node(B, {}))
    await engine.start(node(B, {}))
    assert.is(await shown(B, other), pending)
    assert.equal((await engine.probe(node(B, {}))).drifted, [other])
    await apply(B, {}, true)
    assert.is((await engine.probe(node(B, {}))).drifted, undefined)
    assert.is.not(await shown(B, other), pending)
  })

  test.run()
}
