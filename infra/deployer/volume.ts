import type { OrderResult } from '../../domain/job/orders.ts'
import { attempt, ownMachine, providerOf, type Body, type Means, type Work } from './context.ts'

export const createVolume = async (
  means: Means,
  { provider: name, ...spec }: Body<'infra.create-volume'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  const { volumeId } = await attempt(work, 'create the volume', async () => {
    await ownMachine(provider, spec)
    return provider.createVolume(spec)
  })
  work.note(`The volume is attached: ${spec.sizeGib} GiB`)
  return { volumeId }
}

export const deleteVolume = async (
  means: Means,
  { provider: name, ...node }: Body<'infra.delete-volume'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  await attempt(work, 'delete the volume', async () => {
    await ownMachine(provider, node)
    await provider.deleteVolume(node.nodeId)
  })
  work.note('The volume is deleted')
  return {}
}
