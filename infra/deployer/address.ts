import type { OrderResult } from '../../domain/job/orders.ts'
import { attempt, ownMachine, providerOf, type Body, type Means, type Work } from './context.ts'

export const allocateAddress = async (
  means: Means,
  { provider: name, ...node }: Body<'infra.allocate-address'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  const { publicAddress } = await attempt(work, 'allocate a public address', async () => {
    await ownMachine(provider, node)
    return provider.allocateAddress(node.nodeId)
  })
  work.note(`The public address is ${publicAddress}`)
  return { publicAddress }
}

export const releaseAddress = async (
  means: Means,
  { provider: name, ...node }: Body<'infra.release-address'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  await attempt(work, 'release the public address', async () => {
    await ownMachine(provider, node)
    await provider.releaseAddress(node.nodeId)
  })
  work.note('The public address is released')
  return {}
}
