import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { textNow } from '../process-host/power-state.ts'
import { kill, processesByPid } from '../process-host/processes.ts'
import { systemProgram } from '../process-host/programs.ts'
import { failedWith } from '../process-host/records.ts'
import { bridgeOf, linkOf, removeLink } from './network.ts'
import { ensure, ip, links } from './ip.ts'

export const namespaceOf = (nodeId: string): string =>
  `ccx-${createHash('sha256').update(nodeId).digest('hex').slice(0, 16)}`

const NAMESPACES = '/run/netns'

/** `ip netns add` makes a file and mounts the namespace on it: killed in between it leaves the mere file. */
const stateOf = async (namespace: string): Promise<'absent' | 'broken' | 'whole'> => {
  try {
    const [file, folder] = await Promise.all([stat(`${NAMESPACES}/${namespace}`), stat(NAMESPACES)])
    return file.dev === folder.dev ? 'broken' : 'whole'
  } catch (cause) {
    if (failedWith(cause, 'ENOENT')) return 'absent'
    throw new Error(`could not look at the namespace ${namespace}`, { cause })
  }
}

/** Whether the machine is there and on. */
export const isPlugged = async (nodeId: string): Promise<boolean> => (await stateOf(namespaceOf(nodeId))) === 'whole'

const makeNamespace = async (namespace: string): Promise<void> => {
  if ((await stateOf(namespace)) === 'broken') await ip('netns', 'delete', namespace)
  await ensure(async () => (await stateOf(namespace)) === 'whole', () => ip('netns', 'add', namespace))
}

/** The argv prefix that leads into the machine. Unlike `ip netns exec` it copies no mounts, so none is held. */
export const enter = (nodeId: string): readonly string[] => [
  systemProgram('nsenter'),
  `--net=${NAMESPACES}/${namespaceOf(nodeId)}`,
  '--',
]

/** The same at every boot, as a machine's is: its neighbours would call the former one for up to half a minute. */
const hardwareOf = (privateAddress: string): string =>
  ['02', '00', ...privateAddress.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':')

/**
 * Makes the machine's namespace and plugs it into its network's bridge. The link goes up as it is made and is then left
 * alone, so that a repetition heals no link that was cut on purpose.
 */
export const plug = async (
  { nodeId, networkId, privateAddress }: { nodeId: string; networkId: string; privateAddress: string },
  network: string,
): Promise<void> => {
  const namespace = namespaceOf(nodeId)
  const link = linkOf(nodeId)
  await makeNamespace(namespace)
  const inside = async () => (await links(namespace)).find(({ name }) => name === 'eth0')
  const pair = ['type', 'veth', 'peer', 'name', 'eth0', 'address', hardwareOf(privateAddress), 'netns', namespace]
  await ensure(
    async () => (await inside()) !== undefined,
    async () => {
      // The end of a pair whose other end went with its namespace stays for a moment.
      await removeLink(link)
      await ip('link', 'add', 'name', link, 'master', bridgeOf(networkId), 'up', ...pair)
    },
  )
  await ensure(
    async () => (await inside())?.addresses.includes(privateAddress) === true,
    () => ip('-n', namespace, 'address', 'add', `${privateAddress}/24`, 'dev', 'eth0'),
  )
  await ip('-n', namespace, 'link', 'set', 'dev', 'lo', 'up')
  await ip('-n', namespace, 'link', 'set', 'dev', 'eth0', 'up')
  await ip('-n', namespace, 'route', 'replace', 'default', 'via', network.replace(/\.0$/, '.1'))
}

/** Removes the namespace with everything that runs in it. */
export const unplug = async (nodeId: string): Promise<void> => {
  const namespace = namespaceOf(nodeId)
  if ((await stateOf(namespace)) === 'whole') {
    const pids = (await ip('netns', 'pids', namespace)).split('\n').filter((pid) => pid !== '').map(Number)
    await kill(await processesByPid(pids))
  }
  // The pair goes at once when one end is deleted; with its namespace it would go some time later.
  await removeLink(linkOf(nodeId))
  await ensure(async () => (await stateOf(namespace)) === 'absent', () => ip('netns', 'delete', namespace))
}

/**
 * Looks whether the machine's link is there and up at both ends. Its `carrier` cannot be read while it is down (EINVAL).
 * Unlike `operstate`, which the kernel may tell as much as a second late, it is true at once.
 */
export const linkIsUp = (nodeId: string): (() => boolean) => {
  const carrier = `/sys/class/net/${linkOf(nodeId)}/carrier`
  return () => textNow(carrier)?.trim() === '1'
}
