import type { Host } from '../../infra/host.ts'
import { HostUnreachable } from '../../infra/host.ts'
import type { Provider } from '../../infra/providers/provider.ts'

const deaf = (): Promise<never> => Promise.reject(new HostUnreachable())
const host: Host = {
  address: '10.0.0.1', dataDir: '/nowhere',
  run: deaf, write: deaf, read: deaf, diskUsage: deaf, start: deaf, stop: deaf, reload: deaf, running: deaf, log: deaf,
}

/** Machines that are there and cannot be reached, for tests whose engine asks nothing of them. */
export const deafMachines: Provider = {
  name: 'somewhere',
  capabilities: new Set(),
  unavailable: async () => undefined,
  createNetwork: deaf, deleteNetwork: deaf, createMachine: deaf, deleteMachine: deaf,
  find: async (nodeId) => ({
    nodeId, datastoreId: '', machineId: nodeId, zone: 'zone-a', instance: { code: 'tiny', cpu: 1, ramGb: 0.5 },
    privateAddress: '10.0.0.1', power: 'on',
  }),
  allocateAddress: deaf, releaseAddress: deaf,
  createVolume: deaf, volume: deaf, growVolume: deaf, changeVolume: deaf, deleteVolume: deaf,
  boot: deaf, resize: deaf, halt: deaf, fence: deaf,
  host: async () => host,
  list: async () => [],
}
