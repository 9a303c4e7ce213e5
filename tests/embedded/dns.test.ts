import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { encode } from 'dns-packet'
import { rfc2136 } from '../../infra/dns/rfc2136.ts'
import { sign, tsigKey } from '../../infra/dns/tsig.ts'
import { CLASS, OPCODE, RCODE, TYPE, encodeAddress, encodeMessage } from '../../infra/dns/wire.ts'
import type { Message, ResourceRecord } from '../../infra/dns/wire.ts'
import { dnsServer, type DnsServer } from '../../infra/embedded/dns/index.ts'
import { addressesOf, ask, sendUdp } from '../support/dns-client.ts'

const zone = 'ccx.test'
const secret = randomBytes(32).toString('base64')
const key = tsigKey('ccx-test', secret)
const program = fileURLToPath(new URL('../support/dns-process.ts', import.meta.url))

type Scene = {
  dir: string
  file: string
  ends: (() => unknown)[]
}
const test = suite<Scene>('the embedded DNS server')

test.before.each(async (scene) => {
  scene.dir = await mkdtemp(join(tmpdir(), 'ccx-dns-'))
  scene.file = join(scene.dir, 'zone.jsonl')
  scene.ends = []
})
test.after.each(async (scene) => {
  for (const end of scene.ends.toReversed()) await end()
  await rm(scene.dir, { recursive: true, force: true })
})

const serve = async (scene: Scene): Promise<DnsServer> => {
  const server = await dnsServer({ host: '127.0.0.1', port: 0, zone, key, file: scene.file })
  let closed = false
  const close = async (): Promise<void> => {
    if (!closed) await server.close()
    closed = true
  }
  scene.ends.push(close)
  return { ...server, close }
}

const client = (port: number) => rfc2136({ host: '127.0.0.1', port, zone, key })
const record = (i: number) => ({ name: `n${i}.ccx.test`, addresses: [`10.0.${i >> 8}.${i & 255}`], ttlSeconds: 15 })

const startProcess = async (scene: Scene): Promise<{ readonly child: ChildProcess; readonly port: number }> => {
  const child = spawn(process.execPath, [program, scene.file, secret], { stdio: ['ignore', 'pipe', 'inherit'] })
  scene.ends.push(() => child.kill('SIGKILL'))
  const [line]: unknown[] = await once(child.stdout, 'data')
  return { child, port: Number(String(line)) }
}

test('what was published is there after kill -9', async (scene) => {
  const first = await startProcess(scene)
  const dns = client(first.port)
  const acknowledged: number[] = []
  const publishing = (async () => {
    for (let i = 0; ; i++) {
      await dns.publish([record(i)])
      acknowledged.push(i)
      if (i === 40) first.child.kill('SIGKILL')
    }
  })().catch(() => undefined)
  await Promise.all([publishing, once(first.child, 'exit')])
  const second = await startProcess(scene)
  for (const i of acknowledged) assert.equal(await addressesOf(second, `n${i}.ccx.test`), record(i).addresses)
  assert.ok(acknowledged.length > 40)
})

test('a change that was cut off in the middle of its line is as if it had never been', async (scene) => {
  const server = await serve(scene)
  await client(server.port).publish([record(1)])
  await server.close()
  await appendFile(scene.file, '{"serial":2,"changes":[{"name":"half.ccx.te')
  const again = await serve(scene)
  await client(again.port).publish([record(2)])
  await again.close()
  const third = await serve(scene)
  assert.equal(await addressesOf(third, 'n1.ccx.test'), record(1).addresses)
  assert.equal(await addressesOf(third, 'n2.ccx.test'), record(2).addresses)
})

test('a damaged file is not guessed at', async (scene) => {
  await writeFile(scene.file, 'rubbish\n{"serial":2,"changes":[]}\n')
  const error: unknown = await serve(scene).then(
    () => undefined,
    (cause: unknown) => cause,
  )
  assert.match(error instanceof Error ? error.message : '', /damaged at line 1/)
})

test('a long journal is put together without losing a name', async (scene) => {
  const steps = Array.from({ length: 2_500 }, (_, i) => ({
    serial: i + 1,
    changes: [{ name: `n${i % 100}.ccx.test`, ttlSeconds: 15, addresses: [`10.1.${i >> 8}.${i & 255}`] }],
  }))
  await writeFile(scene.file, steps.map((step) => `${JSON.stringify(step)}\n`).join(''))
  const server = await serve(scene)
  assert.is((await readFile(scene.file, 'utf8')).split('\n').length, 2)
  await client(server.port).withdraw(['n0.ccx.test'])
  await server.close()
  const again = await serve(scene)
  assert.is((await client(again.port).list('ccx.test')).length, 99 + 1, 'the names, and the server itself')
  assert.equal(await addressesOf(again, 'n99.ccx.test'), ['10.1.9.195'])
})

test('the serial number grows with each change', async (scene) => {
  const server = await serve(scene)
  const serial = async (): Promise<number> => {
    const { answers } = await ask(server, { name: zone, type: 'SOA' })
    return answers.flatMap((one) => (one.type === 'SOA' ? [one.data.serial ?? -1] : []))[0] ?? -1
  }
  const before = await serial()
  await client(server.port).publish([record(1)])
  assert.is(await serial(), before + 1)
})

test('the zone names its server, and the server has an address', async (scene) => {
  const server = await serve(scene)
  const { answers } = await ask(server, { name: zone, type: 'NS' })
  assert.equal(answers.map((one) => (one.type === 'NS' ? one.data : '')), ['ns.ccx.test'])
  assert.equal(await addressesOf(server, 'ns.ccx.test'), ['127.0.0.1'])
  await client(server.port).withdraw(['n1.ccx.test'])
  assert.equal(await addressesOf(server, 'ns.ccx.test'), ['127.0.0.1'])
})

test('a question about another zone is refused', async (scene) => {
  const server = await serve(scene)
  assert.is((await ask(server, { name: 'example.com', type: 'A' })).rcode, 'REFUSED')
  assert.is((await ask(server, { name: 'notccx.test', type: 'A' })).rcode, 'REFUSED')
  assert.is((await ask(server, { name: 'absent.ccx.test', type: 'A' })).rcode, 'NXDOMAIN')
})

test('a name is given back in the case it was asked in', async (scene) => {
  const server = await serve(scene)
  await client(server.port).publish([record(1)])
  const { answers } = await ask(server, { name: 'N1.ccX.tEst', type: 'A' })
  assert.equal(answers.map(({ name }) => name), ['N1.ccX.tEst'])
})

const updating = (change: Partial<Message>): Message => ({
  id: 5,
  response: false,
  opcode: OPCODE.UPDATE,
  authoritative: false,
  truncated: false,
  recursionDesired: false,
  rcode: 0,
  questions: [{ name: zone, type: TYPE.SOA, class: CLASS.IN }],
  answers: [],
  authorities: [],
  additionals: [],
  ...change,
})
const address: ResourceRecord = {
  name: 'n1.ccx.test',
  type: TYPE.A,
  class: CLASS.IN,
  ttlSeconds: 5,
  data: encodeAddress('10.0.0.1'),
}
const now = (): number => Math.floor(Date.now() / 1000)

test('an update that is unsigned, wrongly signed or signed long ago gets NOTAUTH', async (scene) => {
  const server = await serve(scene)
  const plain = encodeMessage(updating({ authorities: [address] }))
  const wrong = sign(plain, { ...key, secret: Buffer.alloc(32, 7) }, now()).signed
  const unknown = sign(plain, { ...key, name: 'nobody' }, now()).signed
  const old = sign(plain, key, now() - 10_000).signed
  for (const bytes of [plain, wrong, unknown, old]) {
    assert.is((await sendUdp(server.port, bytes)).readUInt8(3) & 0xf, RCODE.NOTAUTH)
  }
  assert.equal(await addressesOf(server, 'n1.ccx.test'), [])
})

test('an update is made only while its prerequisites hold', async (scene) => {
  const server = await serve(scene)
  const attempt = async (prerequisite: Partial<ResourceRecord>): Promise<number> => {
    const bare = { name: address.name, type: TYPE.A, class: CLASS.ANY, ttlSeconds: 0, data: Buffer.alloc(0) }
    const answers = [{ ...bare, ...prerequisite }]
    return (await sendUdp(server.port, sign(encodeMessage(updating({ answers })), key, now()).signed)).readUInt8(3) & 0xf
  }
  const { data } = address
  const codes = async (): Promise<readonly number[]> => [
    await attempt({}), await attempt({ type: TYPE.ANY }), await attempt({ type: TYPE.TXT }),
    await attempt({ class: CLASS.NONE }), await attempt({ class: CLASS.NONE, type: TYPE.ANY }),
    await attempt({ class: CLASS.IN, data }), await attempt({ class: CLASS.IN, data: Buffer.from([10, 0, 0, 9]) }),
    await attempt({ name: 'example.com' }), await attempt({ ttlSeconds: 1 }), await attempt({ class: CLASS.IN, type: TYPE.ANY }),
  ]
  const { NOERROR, NXDOMAIN, NXRRSET, YXRRSET, YXDOMAIN, NOTZONE, FORMERR } = RCODE
  assert.equal(await codes(), [
    NXRRSET, NXDOMAIN, NXRRSET, NOERROR, NOERROR, NXRRSET, NXRRSET, NOTZONE, FORMERR, FORMERR,
  ])
  await sendUdp(server.port, sign(encodeMessage(updating({ authorities: [address] })), key, now()).signed)
  assert.equal(await codes(), [
    NOERROR, NOERROR, NXRRSET, YXRRSET, YXDOMAIN, NOERROR, NXRRSET, NOTZONE, FORMERR, FORMERR,
  ])
})

test('an update that it cannot carry out whole changes nothing', async (scene) => {
  const server = await serve(scene)
  const attempt = async (change: Partial<Message>): Promise<number> =>
    (await sendUdp(server.port, sign(encodeMessage(updating(change)), key, now()).signed)).readUInt8(3) & 0xf
  const unknown = { ...address, type: 28, data: Buffer.alloc(16) }
  const text = { ...address, type: TYPE.TXT, data: Buffer.from([2, 65]) }
  assert.is(await attempt({ authorities: [address, { ...address, name: 'a.example.com' }] }), RCODE.NOTZONE)
  assert.is(await attempt({ authorities: [address, unknown] }), RCODE.REFUSED)
  assert.is(await attempt({ authorities: [address, text] }), RCODE.FORMERR)
  assert.is(await attempt({ authorities: [address, { ...address, data: Buffer.alloc(3) }] }), RCODE.FORMERR)
  assert.is(await attempt({ authorities: [address], answers: [address] }), RCODE.FORMERR)
  const other = [{ name: 'example.com', type: TYPE.SOA, class: CLASS.IN }]
  assert.is(await attempt({ authorities: [address], questions: other }), RCODE.NOTAUTH)
  assert.equal(await addressesOf(server, 'n1.ccx.test'), [])
  assert.is(await attempt({ authorities: [address] }), RCODE.NOERROR)
  const one = { ...address, class: CLASS.NONE, ttlSeconds: 0 }
  assert.is(await attempt({ authorities: [{ ...address, data: encodeAddress('10.0.0.2') }, one] }), RCODE.NOERROR)
  assert.equal(await addressesOf(server, 'n1.ccx.test'), ['10.0.0.2'])
})

test('bytes of any kind end in an answer or in silence, never in its end', async (scene) => {
  const server = await serve(scene)
  const valid = sign(encodeMessage(updating({ authorities: [address] })), key, now()).signed
  const query = encode({ type: 'query', id: 1, questions: [{ type: 'A', name: zone }] })
  const hostile = [
    ...Array.from({ length: valid.length }, (_, i) => valid.subarray(0, i)),
    ...Array.from({ length: 200 }, (_, i) => randomBytes(i)),
    ...Array.from({ length: query.length }, (_, i) => {
      const broken = Buffer.from(query)
      broken[i] = 0xff
      return broken
    }),
  ]
  const socket = createSocket('udp4')
  scene.ends.push(() => socket.close())
  for (const bytes of hostile) {
    await new Promise((resolve) => socket.send(bytes, server.port, '127.0.0.1', resolve))
    assert.is((await ask(server, { name: zone, type: 'SOA' })).rcode, 'NOERROR')
  }
})

test.run()
