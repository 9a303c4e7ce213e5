import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { processProvider, type LocalOptions } from '../process-host/provider.ts'
import { whyNot } from '../process-host/readiness.ts'
import { volumeOf } from '../process-host/site.ts'
import type { Provider } from '../provider.ts'

export type LocalProcessOptions = LocalOptions & {
  /** TCP ports that databases will listen on: an address where one of them is in use belongs to somebody else. */
  readonly ports?: readonly number[]
}

const ADDRESSES_TRIED_MAX = 64

/**
 * All of 127.0.0.0/8 is this machine (RFC 1122, 3.2.1.3); 127.0.0.0/16 is left to everybody else. Ids are derived, so two
 * installations may have nodes of the same id: the folder of the machines sets them apart.
 */
function* loopbackAddresses(machinesDir: string, nodeId: string): Generator<string> {
  for (let attempt = 0; attempt < ADDRESSES_TRIED_MAX; attempt++) {
    const [a = 0, b = 0, c = 0] = createHash('sha256').update(`${machinesDir} ${nodeId} ${attempt}`).digest()
    yield `127.${1 + (a % 254)}.${b}.${1 + (c % 254)}`
  }
}

const isPortFree = async (host: string, port: number): Promise<boolean> => {
  const server = createServer()
  try {
    server.listen({ host, port, exclusive: true })
    await once(server, 'listening')
    server.close()
    await once(server, 'close')
    return true
  } catch {
    return false
  }
}

const allFree = async (host: string, ports: readonly number[]): Promise<boolean> => {
  for (const port of ports) if (!(await isPortFree(host, port))) return false
  return true
}

/**
 * Machines that are plain processes of this one, each with a loopback address of its own. Needs no root. Zones are
 * labels; a network is a name; a volume is a folder.
 */
export const localProcess = ({ ports = [], ...options }: LocalProcessOptions): Provider =>
  processProvider(options, {
    name: 'local-process',
    capabilities: new Set(),
    unavailable: () => whyNot(options, []),
    networkCandidates: (networkId) => [networkId],
    isNetworkFree: async () => true,
    cidrOf: () => '127.0.0.0/8',
    raiseNetwork: async () => undefined,
    razeNetwork: async () => undefined,
    lowerNetwork: async () => undefined,
    addressCandidates: (nodeId) => loopbackAddresses(options.machinesDir, nodeId),
    isAddressFree: (address) => allFree(address, ports),
    plug: async () => undefined,
    unplug: async () => undefined,
    link: () => () => true,
    isPlugged: async () => true,
    enter: () => [],
    mount: async () => undefined,
    grow: async () => undefined,
    detach: async () => undefined,
    unmount: (folder) => rm(volumeOf(folder), { recursive: true, force: true }),
  })
