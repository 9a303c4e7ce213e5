import type { OrderResult } from '../../domain/job/orders.ts'
import { Failure } from '../messaging/worker.ts'
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

/** @throws Failure, final, when there is no volume or it cannot be made to hold so much */
export const checkVolume = async (
  means: Means,
  { provider: name, sizeGib, ...node }: Body<'infra.check-volume'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  const volume = await attempt(work, 'look at the volume', async () => {
    await ownMachine(provider, node)
    return provider.volume(node.nodeId)
  })
  if (volume === undefined) throw new Failure('The volume is not there.', { final: true })
  if (volume.sizeGib > sizeGib) {
    throw new Failure(`The volume holds ${volume.sizeGib} GiB already, and cannot become smaller.`, { final: true })
  }
  work.note(`The volume holds ${volume.sizeGib} GiB`)
  return {}
}

export const growVolume = async (
  means: Means,
  { provider: name, sizeGib, ...node }: Body<'infra.grow-volume'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  await attempt(work, 'grow the volume', async () => {
    await ownMachine(provider, node)
    await provider.growVolume(node.nodeId, sizeGib)
  })
  work.note(`The volume holds ${sizeGib} GiB`)
  return {}
}

export const changeVolume = async (
  means: Means,
  { provider: name, datastoreId, nodeId, ...kind }: Body<'infra.change-volume'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  await attempt(work, 'change the volume', async () => {
    await ownMachine(provider, { nodeId, datastoreId })
    await provider.changeVolume(nodeId, kind)
  })
  work.note(`The volume is of the kind ${kind.type}`)
  return {}
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
