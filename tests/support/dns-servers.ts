import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tsigKey, type TsigKey } from '../../infra/dns/tsig.ts'
import { dnsServer } from '../../infra/embedded/dns/index.ts'
import { findPrograms } from '../../infra/embedded/programs.ts'
import { ask } from './dns-client.ts'
import { freePort } from './free-port.ts'
import { until } from './until.ts'

export const ZONE = 'ccx.test'

export type TestDns = {
  readonly host: string
  readonly port: number
  readonly zone: string
  readonly key: TsigKey
  readonly stop: () => Promise<void>
}

export type DnsKind = {
  readonly name: string
  /** A running server with an empty zone, or one sentence why there is none. */
  readonly start: () => Promise<TestDns | string>
}

const newKey = (): TsigKey => tsigKey('ccx-test', randomBytes(32).toString('base64'))

const embedded: DnsKind = {
  name: 'embedded',
  async start() {
    const dir = await mkdtemp(join(tmpdir(), 'ccx-dns-'))
    const key = newKey()
    const server = await dnsServer({ host: '127.0.0.1', port: 0, zone: ZONE, key, file: join(dir, 'zone.jsonl') })
    return {
      host: '127.0.0.1',
      port: server.port,
      zone: ZONE,
      key,
      async stop() {
        await server.close()
        await rm(dir, { recursive: true, force: true })
      },
    }
  },
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const knotConfig = (dir: string, port: number, key: TsigKey): string => `
server:
    listen: 127.0.0.1@${port}
    rundir: ${dir}/run
database:
    storage: ${dir}/db
key:
  - id: ${key.name}.
    algorithm: hmac-sha256
    secret: ${key.secret.toString('base64')}
acl:
  - id: ours
    action: [update, transfer]
    key: ${key.name}.
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: ${dir}/zones
    journal-content: changes
zone:
  - domain: ${ZONE}
    acl: ours
`

const knotZone = `$ORIGIN ${ZONE}.
@ 60 IN SOA ns hostmaster 1 3600 600 86400 5
@ 60 IN NS ns
ns 60 IN A 127.0.0.1
`

const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

const startKnot = async (knotd: string): Promise<TestDns> => {
  const dir = await mkdtemp(join(tmpdir(), 'ccx-knot-'))
  const port = await freePort()
  const key = newKey()
  for (const folder of ['run', 'db', 'zones']) await mkdir(join(dir, folder))
  await writeFile(join(dir, 'knot.conf'), knotConfig(dir, port, key), { mode: 0o600 })
  await writeFile(join(dir, 'zones', `${ZONE}.zone`), knotZone)
  const child = spawn(knotd, ['-c', join(dir, 'knot.conf')], { stdio: 'ignore', env: { PATH } })
  const stop = async (): Promise<void> => {
    await end(child)
    await rm(dir, { recursive: true, force: true })
  }
  try {
    await until(async () => (await ask({ port }, { name: ZONE, type: 'SOA' })).rcode === 'NOERROR', {
      withinMs: 20_000,
      what: 'an answer of knotd',
    })
    return { host: '127.0.0.1', port, zone: ZONE, key, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

const knot: DnsKind = {
  name: 'knot',
  async start() {
    const dir = fileURLToPath(new URL('../../.ccx/programs', import.meta.url))
    try {
      return await startKnot((await findPrograms(['dns-server'], { dir, env: { PATH } })).bin('knotd'))
    } catch (error) {
      return error instanceof Error ? error.message : 'it could not be started'
    }
  },
}

/** Every server that the DNS contract is held against. */
export const dnsKinds: readonly DnsKind[] = [embedded, knot]
