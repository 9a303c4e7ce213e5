import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { publicAddresses } from '../../infra/webhooks/addresses.ts'
import { post } from '../../infra/webhooks/post.ts'
import { type Address, type TargetRules, targets } from '../../infra/webhooks/targets.ts'
import { startReceiver } from '../support/webhook-receiver.ts'

const test = suite('where webhooks may go')

const strict: TargetRules = { allowHttp: false, allowed: [], own: [], resolve: async () => [] }
const named = (...addresses: readonly string[]): TargetRules => ({
  ...strict,
  resolve: async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
})
const isRefused = async (url: string, rules: TargetRules = strict): Promise<boolean> =>
  'rejected' in (await targets(rules).find(url))

const PRIVATE = [
  '0.0.0.0', '0.1.2.3', '10.0.0.1', '100.64.0.1', '100.100.100.200', '127.0.0.1', '127.255.255.254', '168.63.129.16',
  '169.254.0.1', '169.254.169.254', '172.16.0.1', '172.31.255.255', '192.0.0.192', '192.0.2.1', '192.88.99.1', '192.168.1.1',
  '198.18.0.1', '198.19.255.255', '198.51.100.7', '203.0.113.7', '224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255',
  '::', '::1', '::127.0.0.1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::ffff:0:127.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::1',
  '100::1', '2001::1', '2001:db8::1', '2002:7f00:1::', '3fff::1', 'fc00::1', 'fd00:ec2::254', 'fe80::1', 'fec0::1', 'ff02::1',
]
const PUBLIC = ['1.1.1.1', '8.8.8.8', '100.63.255.255', '100.128.0.1', '172.32.0.1', '192.0.1.1', '223.255.255.255',
  '2606:4700:4700::1111', '2a00:1450:4001:80b::200e']

test('public addresses are let in, all others refused', () => {
  const isPublic = publicAddresses([])
  assert.equal(PRIVATE.filter(isPublic), [])
  assert.equal(PUBLIC.filter((address) => !isPublic(address)), [])
  for (const none of ['', 'localhost', '1.2.3', '1.2.3.4.5', 'fe80::1%eth0', '2606::1%1']) assert.not(isPublic(none), none)
})

test('an address is refused in whatever form it is written', async () => {
  const forms = [
    '2130706433', '0x7f000001', '017700000001', '0x7f.1', '127.1', '127.0.1', '0177.0.0.1', '0x7f.0x0.0x0.0x1', '127.0.0.1.',
    '①②⑦.⓪.⓪.①', '%31%32%37.0.0.1', '[::1]', '[0:0:0:0:0:0:0:1]', '[::ffff:7f00:1]', '[::127.0.0.1]',
    '[64:ff9b::127.0.0.1]', '[2002:7f00:0001::]',
  ]
  for (const form of forms) assert.ok(await isRefused(`https://${form}/`), form)
  assert.not(await isRefused('https://8.8.8.8/'))
  assert.not(await isRefused('https://[2606:4700:4700::1111]/'))
})

test('every IPv6 form that stands for an IPv4 address is refused, whatever the address', () => {
  const isPublic = publicAddresses([])
  const part = fc.integer({ min: 0, max: 255 })
  fc.assert(
    fc.property(part, part, part, part, (a, b, c, d) => {
      const dotted = [a, b, c, d].join('.')
      const high = ((a << 8) | b).toString(16)
      const low = ((c << 8) | d).toString(16)
      const forms = [`::ffff:${dotted}`, `::ffff:${high}:${low}`, `::${dotted}`, `64:ff9b::${dotted}`, `2002:${high}:${low}::1`]
      for (const form of forms) assert.not(isPublic(form), form)
    }),
  )
})

test('what lies in a private block is refused in any notation that a URL may hold', async () => {
  const block = fc
    .tuple(fc.constantFrom(0, 10, 127, 240, 255), fc.integer({ min: 0, max: 2 ** 24 - 1 }))
    .map(([first, rest]) => first * 2 ** 24 + rest)
  const notation = fc.constantFrom(
    (n: number) => String(n),
    (n: number) => `0x${n.toString(16)}`,
    (n: number) => `0${n.toString(8)}`,
    (n: number) => `${n >>> 24}.${n & 0xffffff}`,
    (n: number) => `${n >>> 24}.${(n >>> 16) & 255}.${n & 0xffff}`,
  )
  await fc.assert(
    fc.asyncProperty(block, notation, async (number, write) => assert.ok(await isRefused(`https://${write(number)}/hook`))),
  )
})

test('only https without user, fragment or odd port is an address', async () => {
  const bad = [
    'http://example.com/', 'ftp://example.com/', 'file:///etc/passwd', 'gopher://example.com/', 'javascript:1', 'example.com', '',
    'https://', 'https://user@example.com/', 'https://user:secret@example.com/', 'https://:secret@example.com/',
    'https://example.com/#x', 'https://example.com:22/', 'https://example.com:1023/', 'https://example.com:0/',
    `https://example.com/${'x'.repeat(2_000)}`,
  ]
  for (const url of bad) assert.ok(await isRefused(url, named('8.8.8.8')), url)
  for (const url of ['https://example.com/', 'https://example.com:80/', 'https://example.com:8443/?token=x']) {
    assert.not(await isRefused(url, named('8.8.8.8')), url)
  }
  assert.not(await isRefused('http://example.com/', { ...named('8.8.8.8'), allowHttp: true }))
})

test('a name is refused when it leads nowhere, or when one of its addresses is private', async () => {
  assert.ok(await isRefused('https://example.com/'))
  const nowhere = async (): Promise<never> => Promise.reject(new Error('no such name'))
  assert.ok(await isRefused('https://example.com/', { ...strict, resolve: nowhere }))
  for (const address of PRIVATE) assert.ok(await isRefused('https://example.com/', named('8.8.8.8', address)), address)
})

test('a name that the system itself knows is held to the same', async () => {
  const { resolve: _, ...bySystem } = strict
  assert.ok(await isRefused('https://localhost/', bySystem))
  assert.not(await isRefused('https://localhost/', { ...bySystem, allowed: ['127.0.0.0/8', '::1/128'] }))
})

test('a refusal does not tell what was found behind the name', async () => {
  const found = [targets(strict), targets(named('10.0.0.1'))].map(({ find }) => find('https://x.example/'))
  const [absent, inside] = await Promise.all(found)
  assert.equal(absent, inside)
})

test('the operator lets blocks in, and nothing beside them', async () => {
  const rules = { ...named('10.1.2.3'), allowed: ['10.1.0.0/16', 'fd12::/16', '127.0.0.9'] }
  assert.not(await isRefused('https://inside.example/', rules))
  assert.not(await isRefused('https://[fd12::1]/', rules))
  assert.not(await isRefused('https://127.0.0.9/', rules))
  for (const host of ['10.2.0.1', '[fd13::1]', '127.0.0.8', '[::ffff:10.1.2.3]']) {
    assert.ok(await isRefused(`https://${host}/`, rules), host)
  }
  assert.throws(() => publicAddresses(['everything']), /no block/)
})

test('our own servers are refused even where their addresses are allowed', async () => {
  const rules = { ...named('127.0.0.1'), allowed: ['127.0.0.0/8'], own: ['127.0.0.1:5432', 'ccx.example:443'] }
  for (const server of ['127.0.0.1:5432', 'sneaky.example:5432', 'ccx.example', '2130706433:5432']) {
    assert.ok(await isRefused(`https://${server}/`, rules), server)
  }
  assert.not(await isRefused('https://127.0.0.1:5433/', rules))
})

test('the request goes to what was checked, though the name leads elsewhere a moment later', async () => {
  const meant = await startReceiver()
  try {
    let asked = 0
    // The first answer is for the check. Whoever asks again gets what an attacker wants.
    const resolve = async (): Promise<readonly Address[]> => {
      asked += 1
      return [{ address: asked === 1 ? '127.0.0.1' : '127.0.0.2', family: 4 }]
    }
    const rules = { allowHttp: true, allowed: ['127.0.0.1/32'], own: [], resolve }
    const target = await targets(rules).find(`http://rebound.example:${meant.port}/hook`)
    if ('rejected' in target) throw new Error(target.because)
    const event = {
      specversion: '1.0', id: '0a000000-0000-4000-8000-000000000001', source: 'http://x.example', type: 't', subject: 's',
      time: '2030-01-01T12:00:00Z', datacontenttype: 'application/json', data: {},
    }
    const request = { headers: {}, body: JSON.stringify(event), timeoutMs: 5_000, signal: new AbortController().signal }
    assert.equal(await post({ ...request, target }), { status: 204, retryAfter: undefined, taken: '' })
    assert.is(asked, 1)
    assert.is(meant.received[0]?.headers.host, `rebound.example:${meant.port}`)
    const rebound = await targets(rules).find(`http://rebound.example:${meant.port}/hook`)
    assert.ok('rejected' in rebound, 'the next request is checked anew')
    assert.is(meant.received.length, 1)
  } finally {
    await meant.close()
  }
})

test.run()
