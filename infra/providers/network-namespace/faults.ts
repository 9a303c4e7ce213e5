import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { systemProgram } from '../process-host/programs.ts'
import type { CutDirection } from '../provider.ts'
import { load } from './filter.ts'
import { ensure, ip } from './ip.ts'
import { linkOf } from './network.ts'

const TIMEOUT_MS = 20_000

/**
 * One direction of a link, cut on this machine's side of it, where no packet filter inside of the machine is met. Machines
 * still find each other's hardware addresses (ARP), else no packet would go the other way either for longer than those
 * are remembered.
 */
const cutText = (link: string, direction: 'in' | 'out'): string => {
  const [hook, name] = direction === 'in' ? ['postrouting', 'oifname'] : ['prerouting', 'iifname']
  return [
    ...wholeText(link),
    `table bridge ccx-${link} {`,
    ' chain cut {',
    `  type filter hook ${hook} priority 0;`,
    `  ${name} "${link}" ether type != arp drop`,
    ' }',
    '}',
    '',
  ].join('\n')
}

/** To delete a table that is not there is an error, to name it is not. */
const wholeText = (link: string): readonly string[] => [`table bridge ccx-${link}`, `delete table bridge ccx-${link}`, '']

/** Whether this kernel can drop what goes one way over a bridge: found out by doing it, in a network of its own. */
export const canCutOneWay = (nft: string): boolean => {
  const argv = ['--net', nft, '-f', '-']
  const input = cutText('probe', 'in') + cutText('probe', 'out')
  return spawnSync(systemProgram('unshare'), argv, { input, timeout: TIMEOUT_MS }).status === 0
}

const isThere = (link: string): boolean => existsSync(`/sys/class/net/${link}`)

/** Sets a link up or down; one that is gone, with its machine's power, is left so. */
const set = (link: string, state: 'up' | 'down'): Promise<void> =>
  ensure(async () => !isThere(link), () => ip('link', 'set', 'dev', link, state))

/**
 * Makes a machine's link whole, or cuts it: one that is cut both ways is down.
 *
 * @param nft the program that cuts in one direction, where it can
 */
export const setLink = async (
  nft: string | undefined,
  nodeId: string,
  state: CutDirection | 'whole',
): Promise<void> => {
  const link = linkOf(nodeId)
  if (state === 'both') await set(link, 'down')
  if (nft !== undefined) {
    await load([nft], state === 'in' || state === 'out' ? cutText(link, state) : wholeText(link).join('\n'))
  }
  if (state !== 'both') await set(link, 'up')
}
