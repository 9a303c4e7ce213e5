import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { connect, createServer } from 'node:tls'
import { createAuthority, createKeyPem, issue, stillServes } from '../../infra/certificates/authority.ts'

const test = suite('a certificate authority')
const run = promisify(execFile)

const authority = await createAuthority('datastore 0198')
const request = {
  commonName: 'db-a.0198.ccx.test',
  dnsNames: ['db-a.0198.ccx.test', '0198.ccx.test'],
  addresses: ['127.0.0.1'],
  days: 825,
}
const certificate = await issue(authority, request)

let folder = ''
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ccx-certificates-'))
  await writeFile(join(folder, 'ca.crt'), authority.certificatePem)
  await writeFile(join(folder, 'server.crt'), certificate.certificatePem)
})
test.after(() => rm(folder, { recursive: true, force: true }))

const verify = (...purpose: readonly string[]): Promise<{ stdout: string }> =>
  run('openssl', ['verify', '-x509_strict', '-CAfile', join(folder, 'ca.crt'), ...purpose, join(folder, 'server.crt')])

test('openssl accepts what it issues, strictly, for servers and for clients', async () => {
  assert.match((await verify('-purpose', 'sslserver')).stdout, /OK/)
  assert.match((await verify('-purpose', 'sslclient')).stdout, /OK/)
})

test('openssl finds the name and the address in it, and no other', async () => {
  assert.match((await verify('-verify_hostname', '0198.ccx.test', '-verify_ip', '127.0.0.1')).stdout, /OK/)
  const told = verify('-verify_hostname', 'else.ccx.test').then(({ stdout }) => stdout, String)
  assert.match(await told, /hostname mismatch/i)
})

test('it may sign no further authority', async () => {
  const { stdout } = await run('openssl', ['x509', '-in', join(folder, 'ca.crt'), '-noout', '-ext', 'basicConstraints'])
  assert.match(stdout, /critical\s+CA:TRUE, pathlen:0/)
})

const greet = async (options: { readonly servername: string; readonly ca: string }): Promise<string> => {
  const server = createServer({ cert: certificate.certificatePem, key: certificate.keyPem }, (socket) => {
    socket.on('error', () => {})
    socket.end('hello')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('BUG: a TLS server has a port')
  const socket = connect({ host: '127.0.0.1', port: address.port, ...options })
  try {
    const [data] = await once(socket, 'data')
    return String(data)
  } finally {
    socket.destroy()
    server.close()
    await once(server, 'close')
  }
}

test('a TLS client that trusts it reaches the named server', async () => {
  assert.is(await greet({ servername: 'db-a.0198.ccx.test', ca: authority.certificatePem }), 'hello')
})

test('a TLS client refuses another name and another authority', async () => {
  const named = await greet({ servername: 'else.ccx.test', ca: authority.certificatePem }).catch(codeOf)
  assert.is(named, 'ERR_TLS_CERT_ALTNAME_INVALID')
  const other = await createAuthority('datastore 0198')
  const trusted = await greet({ servername: 'db-a.0198.ccx.test', ca: other.certificatePem }).catch(codeOf)
  assert.not.equal(trusted, 'hello')
})

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error)

test('a certificate serves as long as authority, key, names and time are right', async () => {
  const wanted = { ...request, keyPem: certificate.keyPem, authorityPem: authority.certificatePem, daysLeft: 30 }
  const serves = (change: Partial<typeof wanted>): boolean =>
    stillServes(certificate.certificatePem, { ...wanted, ...change })
  assert.ok(serves({}))
  assert.not(serves({ daysLeft: 826 }))
  assert.not(serves({ dnsNames: ['else.ccx.test'] }))
  assert.not(serves({ addresses: ['127.0.0.2'] }))
  assert.not(serves({ keyPem: await createKeyPem() }))
  assert.not(serves({ authorityPem: (await createAuthority('datastore 0198')).certificatePem }))
})

test('two certificates made from one key of an authority verify alike', async () => {
  const again = await createAuthority('datastore 0198', authority.keyPem)
  assert.ok(stillServes(certificate.certificatePem, { ...request, authorityPem: again.certificatePem, daysLeft: 1 }))
})

test.run()
