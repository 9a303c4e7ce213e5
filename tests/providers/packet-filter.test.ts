import { spawn, spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { providers } from '../../infra/providers/index.ts'
import { namespaceOf } from '../../infra/providers/network-namespace/machine.ts'
import { placed } from '../../infra/providers/network-namespace/network.ts'
import { testPrograms } from '../support/programs.ts'
import { until } from '../support/until.ts'

const filter = suite('the packet filter of a machine')

const PORTS = [5432, 9100]
const LISTEN = "for (const port of [5432, 9100]) require('net').createServer((it) => it.end('hi')).listen(port, '::')"

const isOpen = (port: number, host: string): boolean => {
  const ask = `const it = require('net').connect(${port}, '${host}'); it.setTimeout(500, () => process.exit(1));
it.on('data', () => process.exit(0)); it.on('error', () => process.exit(2))`
  return spawnSync(process.execPath, ['-e', ask]).status === 0
}
const ip = (...args: readonly string[]): void => assert.is(spawnSync('ip', [...args]).status, 0, args.join(' '))

filter('lets trusted sources in, over IPv4 and IPv6, and nobody else, through every boot', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ccx-filter-'))
  await chmod(folder, 0o755)
  const { binDirs } = await testPrograms('network', 'packet-filter')
  const user = { uid: 65534, gid: 65534 }
  const every = providers({ machinesDir: folder, binDirs, libraryPaths: [], user, ports: [] })
  const provider = every.find(({ capabilities }) => capabilities.has('packet-filter'))
  if (provider?.setFirewall === undefined) return console.log('SKIPPED the packet filter: no provider here has one')
  const spec = { nodeId: 'nod_1', datastoreId: 'dst_1', networkId: 'net_1', name: 'db-1', region: 'r', zone: 'a' }
  await provider.createNetwork(spec)
  const { privateAddress } = await provider.createMachine({ ...spec, instance: { code: 'nano', cpu: 1, ramGb: 1 } })
  await provider.createVolume({ ...spec, type: 'local', sizeGib: 1 })
  await provider.boot('nod_1')
  const namespace = namespaceOf(placed(join(folder, 'netns'), 'nod_1'))
  const server = spawn('nsenter', [`--net=/run/netns/${namespace}`, process.execPath, '-e', LISTEN], { stdio: 'ignore' })
  try {
    ip('-n', namespace, 'address', 'add', 'fd77::2/64', 'dev', 'eth0', 'nodad')
    const gateway = privateAddress.replace(/\.\d+$/, '.1')
    const links = spawnSync('ip', ['-o', '-4', 'address', 'show']).stdout.toString().split('\n')
    const bridge = links.find((line) => line.includes(` ${gateway}/`))?.split(/\s+/)[1] ?? ''
    ip('address', 'add', 'fd77::1/64', 'dev', bridge, 'nodad')
    const open = () => PORTS.map((port) => [isOpen(port, privateAddress), isOpen(port, 'fd77::2')])
    const [none, v4, both] = [[false, false], [true, false], [true, true]]
    await until(() => isOpen(5432, privateAddress), { withinMs: 10_000, what: 'the server in the machine' })
    await provider.setFirewall('nod_1', { ports: PORTS, sources: [] })
    assert.equal(open(), [none, none])
    await provider.setFirewall('nod_1', { ports: PORTS, sources: [`${gateway}/32`] })
    assert.equal(open(), [v4, v4])
    await provider.setFirewall('nod_1', { ports: PORTS, sources: ['10.0.0.0/8', '10.77.0.0/16', 'fd77:0:0:0:0:0:0:0/64'] })
    assert.equal(open(), [both, both])
    await provider.setFirewall('nod_1', { ports: [5432], sources: 'everybody' })
    assert.equal(open(), [both, none])
    await provider.setFirewall('nod_1', { ports: PORTS, sources: ['192.0.2.0/24'] })
    assert.equal(open(), [none, none])
    await provider.boot('nod_1')
    assert.equal(open(), [none, none])
  } finally {
    server.kill()
    await provider.deleteMachine('nod_1')
    await provider.deleteNetwork('net_1')
    await rm(folder, { recursive: true, force: true })
  }
})

filter.run()
