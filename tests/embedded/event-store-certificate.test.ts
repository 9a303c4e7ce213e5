import { X509Certificate } from 'node:crypto'
import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createAuthority, issue } from '../../infra/certificates/authority.ts'
import { ensureEventStoreCertificate } from '../../infra/embedded/event-store-certificate.ts'
import { openState, type State, unprivilegedUser } from '../../infra/embedded/state.ts'
import { inTemporaryFolder } from '../support/temporary-folder.ts'

const test = suite("the embedded event store's certificate")
const user = await unprivilegedUser()

const inState = (work: (state: State) => Promise<void>) =>
  inTemporaryFolder(async (folder) => {
    await chmod(folder, 0o755)
    await work(await openState({ dir: join(folder, 'state'), ports: [], user }))
  })

const certificate = async (state: State): Promise<X509Certificate> =>
  new X509Certificate(await readFile(state.certificateFile('event-store')))

test('is for the local names, and signed by an authority that clients can be given', () =>
  inState(async (state) => {
    await ensureEventStoreCertificate(state, [])
    const [own, authority] = [await certificate(state), await readFile(state.certificateFile('event-store-ca'))]
    assert.ok(own.verify(new X509Certificate(authority).publicKey))
    assert.ok(own.checkIP('127.0.0.1'))
    assert.ok(own.checkHost('localhost'))
    assert.is((await stat(state.secretFile('event-store-key'))).mode & 0o777, 0o600)
  }))

test('goes on being used, until it lacks a name', () =>
  inState(async (state) => {
    await ensureEventStoreCertificate(state, [])
    const [first, authority] = [await certificate(state), await readFile(state.certificateFile('event-store-ca'), 'utf8')]
    await ensureEventStoreCertificate(state, [])
    assert.is((await certificate(state)).serialNumber, first.serialNumber)
    await ensureEventStoreCertificate(state, ['events.example', '192.0.2.7'])
    const next = await certificate(state)
    assert.is.not(next.serialNumber, first.serialNumber)
    assert.ok(next.checkHost('events.example') !== undefined && next.checkIP('192.0.2.7') !== undefined)
    assert.is(await readFile(state.certificateFile('event-store-ca'), 'utf8'), authority)
  }))

test('is replaced before its time is over, and clients need not be told', () =>
  inState(async (state) => {
    await ensureEventStoreCertificate(state, [])
    const authorityPem = await readFile(state.certificateFile('event-store-ca'), 'utf8')
    const authority = { certificatePem: authorityPem, keyPem: state.secret('event-store-ca-key') }
    const request = { commonName: 'old', dnsNames: ['localhost'], addresses: ['127.0.0.1'], days: 30 }
    const old = await issue(authority, { ...request, keyPem: state.secret('event-store-key') })
    await writeFile(state.certificateFile('event-store'), old.certificatePem)
    await ensureEventStoreCertificate(state, [])
    const next = await certificate(state)
    assert.is.not(next.serialNumber, new X509Certificate(old.certificatePem).serialNumber)
    assert.ok(next.verify(new X509Certificate(authorityPem).publicKey))
  }))

test('of another authority is replaced', () =>
  inState(async (state) => {
    const other = await createAuthority('other')
    const request = { commonName: 'other', dnsNames: ['localhost'], addresses: ['127.0.0.1'], days: 800 }
    await writeFile(state.certificateFile('event-store'), (await issue(other, request)).certificatePem)
    await ensureEventStoreCertificate(state, [])
    const authority = new X509Certificate(await readFile(state.certificateFile('event-store-ca')))
    assert.ok((await certificate(state)).verify(authority.publicKey))
  }))

test.run()
