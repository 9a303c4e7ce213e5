import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Dns } from '../../infra/dns/dns.ts'
import { DnsFailed, rfc2136 } from '../../infra/dns/rfc2136.ts'
import { dnsKinds, type TestDns } from '../support/dns-servers.ts'
import { addressesOf, ask, askTcp, sendUdp } from '../support/dns-client.ts'
import { CLASS, OPCODE, TYPE, encodeAddress, encodeMessage, type Message } from '../../infra/dns/wire.ts'

const name = (label: string): string => `${label}.3f0e.ccx.test`

const wrongly = async (promise: Promise<unknown>): Promise<void> => {
  const error: unknown = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  assert.instance(error, DnsFailed)
}

const unsignedUpdate: Message = {
  id: 99,
  response: false,
  opcode: OPCODE.UPDATE,
  authoritative: false,
  truncated: false,
  recursionDesired: false,
  rcode: 0,
  questions: [{ name: 'ccx.test', type: TYPE.SOA, class: CLASS.IN }],
  answers: [],
  authorities: [
    { name: name('intruder'), type: TYPE.A, class: CLASS.IN, ttlSeconds: 5, data: encodeAddress('10.6.6.6') },
  ],
  additionals: [],
}

const contract = (kind: string, server: TestDns): void => {
  const test = suite(`dns: ${kind}`)
  const dns: Dns = rfc2136(server)
  test.after(() => server.stop())

  test('a published name answers with exactly its addresses, from the moment that publish returns', async () => {
    await dns.publish([{ name: name('a'), addresses: ['10.0.0.1', '10.0.0.2'], ttlSeconds: 15 }])
    assert.equal(await addressesOf(server, name('a')), ['10.0.0.1', '10.0.0.2'])
    await dns.publish([{ name: name('a'), addresses: ['10.0.0.3'], ttlSeconds: 30 }])
    const { answers, authoritative } = await ask(server, { name: name('a'), type: 'A' })
    assert.ok(authoritative)
    assert.equal(
      answers.map((one) => (one.type === 'A' ? [one.name, one.ttl, one.data] : [])),
      [[name('a'), 30, '10.0.0.3']],
    )
  })

  test('publishing and withdrawing may be repeated', async () => {
    const record = { name: name('b'), addresses: ['10.0.0.4'], ttlSeconds: 15 }
    await dns.publish([record])
    await dns.publish([record])
    assert.equal(await addressesOf(server, name('b')), ['10.0.0.4'])
    await dns.withdraw([name('b')])
    await dns.withdraw([name('b'), name('never-there')])
    assert.equal(await addressesOf(server, name('b')), [])
  })

  test('a withdrawn name is not there any more', async () => {
    await dns.publish([{ name: name('c'), addresses: ['10.0.0.5'], ttlSeconds: 15 }])
    await dns.withdraw([name('c')])
    const { rcode, authorities } = await ask(server, { name: name('c'), type: 'A' })
    assert.is(rcode, 'NXDOMAIN')
    assert.equal(authorities.map(({ type }) => type), ['SOA'])
  })

  test('a name with another kind of record, or with names below it, is there and empty', async () => {
    await dns.publish([{ name: name('deep.below'), addresses: ['10.0.0.6'], ttlSeconds: 15 }])
    for (const asked of [{ name: name('deep.below'), type: 'AAAA' }, { name: name('below'), type: 'A' }] as const) {
      const { rcode, answers, authorities } = await ask(server, asked)
      assert.equal([rcode, answers.length, authorities.map(({ type }) => type)], ['NOERROR', 0, ['SOA']])
    }
  })

  test('of several who claim names the one of the highest rank is heard, and of the same rank the last', async () => {
    const claimed = (rank: number) => ({ name: name('_decided.claimed'), rank })
    const says = (address: string, rank: number) =>
      dns.publish([{ name: name('claimed'), addresses: [address], ttlSeconds: 15 }], claimed(rank))
    assert.is(await says('10.4.0.1', 3), 'done')
    assert.is(await says('10.4.0.2', 3), 'done')
    assert.is(await says('10.4.0.3', 2), 'outranked')
    assert.equal(await addressesOf(server, name('claimed')), ['10.4.0.2'])
    assert.is(await dns.withdraw([name('claimed')], claimed(2)), 'outranked')
    assert.is(await dns.withdraw([name('claimed')], claimed(4)), 'done')
    assert.is(await says('10.4.0.4', 3), 'outranked')
    assert.equal(await addressesOf(server, name('claimed')), [])
    assert.equal((await dns.list(name('claimed'))).map((one) => [one.name, one.addresses]), [[name('_decided.claimed'), []]])
    await dns.withdraw([name('_decided.claimed')])
    assert.equal(await dns.list(name('claimed')), [])
    assert.is(await says('10.4.0.5', 1), 'done')
  })

  test('of many who speak at once the one of the highest rank is heard', async () => {
    const ranks = Array.from({ length: 12 }, (_, i) => i)
    const record = (rank: number) => [{ name: name('rush'), addresses: [`10.5.0.${rank}`], ttlSeconds: 15 }]
    await Promise.all(ranks.map((rank) => rfc2136(server).publish(record(rank), { name: name('_decided.rush'), rank })))
    assert.equal(await addressesOf(server, name('rush')), ['10.5.0.11'])
  })

  test('names are the same in upper and lower case', async () => {
    await dns.publish([{ name: name('MiXeD').toUpperCase(), addresses: ['10.0.0.7'], ttlSeconds: 15 }])
    assert.equal(await addressesOf(server, name('mixed')), ['10.0.0.7'])
    assert.equal(await addressesOf(server, name('mixed').toUpperCase()), ['10.0.0.7'])
  })

  test('list gives the names under a suffix and no other', async () => {
    const names = ['x.list.ccx.test', 'list.ccx.test', 'y.x.list.ccx.test', 'nolist.ccx.test']
    await dns.publish(names.map((one, i) => ({ name: one, addresses: [`10.1.0.${i + 1}`], ttlSeconds: 15 })))
    const listed = [...(await dns.list('list.ccx.test'))].toSorted((a, b) => (a.name < b.name ? -1 : 1))
    assert.equal(listed, [
      { name: 'list.ccx.test', addresses: ['10.1.0.2'], ttlSeconds: 15 },
      { name: 'x.list.ccx.test', addresses: ['10.1.0.1'], ttlSeconds: 15 },
      { name: 'y.x.list.ccx.test', addresses: ['10.1.0.3'], ttlSeconds: 15 },
    ])
    await dns.withdraw(names)
    assert.equal(await dns.list('list.ccx.test'), [])
  })

  test('many names are published, listed and withdrawn together', async () => {
    const names = Array.from({ length: 300 }, (_, i) => `n${i}.many.ccx.test`)
    await dns.publish(names.map((one) => ({ name: one, addresses: ['10.2.0.1'], ttlSeconds: 15 })))
    assert.is((await dns.list('many.ccx.test')).length, 300)
    await dns.withdraw(names)
    assert.equal(await dns.list('many.ccx.test'), [])
  })

  test('an update that is not signed changes nothing', async () => {
    const answer = await sendUdp(server.port, encodeMessage(unsignedUpdate))
    assert.is.not(answer.readUInt8(3) & 0xf, 0)
    assert.equal(await addressesOf(server, name('intruder')), [])
  })

  test('an update or a listing with a wrong or unknown key changes and tells nothing', async () => {
    const secret = Buffer.alloc(32, 1)
    for (const key of [{ ...server.key, secret }, { name: 'nobody', secret: server.key.secret }]) {
      const intruder = rfc2136({ ...server, key })
      await wrongly(intruder.publish([{ name: name('intruder'), addresses: ['10.6.6.6'], ttlSeconds: 15 }]))
      await wrongly(intruder.list('ccx.test'))
    }
    assert.equal(await addressesOf(server, name('intruder')), [])
  })

  test('a name outside the zone, without an address or that is no name is refused', async () => {
    await wrongly(dns.publish([{ name: 'a.example.com', addresses: ['10.0.0.1'], ttlSeconds: 15 }]))
    await wrongly(dns.publish([{ name: name('empty'), addresses: [], ttlSeconds: 15 }]))
    await wrongly(dns.publish([{ name: `${'x'.repeat(64)}.ccx.test`, addresses: ['10.0.0.1'], ttlSeconds: 15 }]))
    await wrongly(dns.publish([{ name: name('bad'), addresses: ['10.0.0.256'], ttlSeconds: 15 }]))
  })

  test('the same is answered over TCP, and too much for UDP is cut there', async () => {
    const addresses = Array.from({ length: 60 }, (_, i) => `10.3.0.${i + 1}`)
    await dns.publish([{ name: name('wide'), addresses, ttlSeconds: 15 }])
    assert.ok((await ask(server, { name: name('wide'), type: 'A' })).truncated)
    assert.is((await askTcp(server, { name: name('wide'), type: 'A' })).answers.length, 60)
  })

  test('a server that is not there is told apart from one that refuses', async () => {
    await wrongly(rfc2136({ ...server, port: 1, timeoutMs: 500 }).list('ccx.test'))
  })

  test.run()
}

const started = await Promise.all(dnsKinds.map(async ({ name: kind, start }) => ({ kind, server: await start() })))
for (const { kind, server } of started) {
  if (typeof server === 'string') process.stdout.write(`SKIPPED dns server ${kind}: ${server}\n`)
  else contract(kind, server)
}
