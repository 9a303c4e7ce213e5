import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createAuthority, createKeyPem, issue } from '../../infra/certificates/authority.ts'
import { type Posted, post } from '../../infra/webhooks/post.ts'
import { freePort } from '../support/free-port.ts'
import { startReceiver } from '../support/webhook-receiver.ts'

const test = suite('one request of a webhook')

const body = JSON.stringify({
  specversion: '1.0', id: '0a000000-0000-4000-8000-000000000001', source: 'http://x.example', type: 't', subject: 's',
  time: '2030-01-01T12:00:00Z', datacontenttype: 'application/json', data: { text: 'zwölf' },
})

const sent = (url: string, { timeoutMs = 5_000, signal = new AbortController().signal } = {}): Promise<Posted> =>
  post({
    target: { url: new URL(url), addresses: [{ address: '127.0.0.1', family: 4 }] },
    headers: { 'content-type': 'application/cloudevents+json', 'webhook-id': 'm' }, body, timeoutMs, signal,
  })

/** What comes of a request to a server that does this with its connection. */
const against = async (
  answer: (say: (text: string) => void, end: () => void) => void,
  options: Parameters<typeof sent>[1] = {},
): Promise<Posted> => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => answer((text) => void socket.write(text), () => void socket.destroy()))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  const sockets = new Set<{ destroy: () => void }>()
  server.on('connection', (socket) => sockets.add(socket))
  try {
    return await sent(`http://127.0.0.1:${port}/`, options)
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

test('arrives whole, with its headers and its length', async () => {
  const receiver = await startReceiver((response) => void response.writeHead(202, { 'retry-after': '3' }).end('got it'))
  assert.equal(await sent(`${receiver.url}?token=x`), { status: 202, retryAfter: '3', taken: 'got it' })
  const [received] = receiver.received
  assert.is(received?.body, body)
  assert.is(received?.path, '/hook?token=x')
  assert.is(received?.headers['content-length'], String(Buffer.byteLength(body)))
  assert.is(received?.headers['content-type'], 'application/cloudevents+json')
  await receiver.close()
})

test('is not sent again to where a redirect leads', async () => {
  const other = await startReceiver()
  for (const status of [301, 302, 303, 307, 308]) {
    const receiver = await startReceiver((response) => void response.writeHead(status, { location: other.url }).end())
    assert.equal(await sent(receiver.url), { status, retryAfter: undefined, taken: '' })
    await receiver.close()
  }
  assert.is(other.received.length, 0)
  await other.close()
})

test('is given up when there is no answer in time', async () => {
  const silent = await against(() => undefined, { timeoutMs: 100 })
  assert.equal(silent, { fault: 'there was no answer within 100 ms' })
})

test('is given up when the answer trickles on past its time', async () => {
  const slow = await against((say) => say('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx'), { timeoutMs: 200 })
  assert.equal(slow, { fault: 'there was no answer within 200 ms' })
})

test('has failed when the connection breaks before the answer or within it', async () => {
  assert.equal(await against((_, end) => end()), { fault: 'the connection was broken off' })
  const within = await against((say, end) => {
    say('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf an ans')
    setImmediate(end)
  })
  assert.equal(within, { fault: 'the connection was broken off' })
})

test('has failed when what comes back is not HTTP', async () => {
  const other = await against((say) => say('220 mail.example ESMTP\r\n'))
  assert.ok('fault' in other && other.fault.startsWith('the request failed (HPE_'), JSON.stringify(other))
})

test('has failed when nobody listens', async () => {
  assert.equal(await sent(`http://127.0.0.1:${await freePort()}/`), { fault: 'the connection was refused' })
})

test('reads no more than the beginning of an answer that never ends', async () => {
  const server = createServer((_, response) => {
    const more = () => {
      if (!response.destroyed) response.write('y'.repeat(1_000), () => setImmediate(more))
    }
    more()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  assert.equal(await sent(`http://127.0.0.1:${port}/`), { status: 200, retryAfter: undefined, taken: 'y'.repeat(4_096) })
  server.closeAllConnections()
  server.close()
})

test('ends with its sender', async () => {
  const stopping = new AbortController()
  const cut = await against(() => stopping.abort(), { signal: stopping.signal })
  assert.equal(cut, { fault: 'the sender was stopped' })
})

test('over TLS wants a certificate for the name, from somebody known', async () => {
  const authority = await createAuthority('Hooks', await createKeyPem())
  const asked = { commonName: 'hook.example', dnsNames: ['hook.example'], addresses: [], days: 1 }
  const { certificatePem: cert, keyPem: key } = await issue(authority, asked)
  const receiver = await startReceiver(undefined, { tls: { cert, key } })
  const known = getCACertificates('default')
  try {
    const stranger = await sent(`https://hook.example:${receiver.port}/hook`)
    assert.ok('fault' in stranger && stranger.fault.includes('certificate'), JSON.stringify(stranger))
    setDefaultCACertificates([...known, authority.certificatePem])
    const another = await sent(`https://other.example:${receiver.port}/hook`)
    assert.equal(another, { fault: 'the certificate is for another name' })
    assert.is(receiver.received.length, 0)
    assert.equal(await sent(`https://hook.example:${receiver.port}/hook`), { status: 204, retryAfter: undefined, taken: '' })
  } finally {
    setDefaultCACertificates(known)
    await receiver.close()
  }
})

test.run()
