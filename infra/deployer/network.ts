import type { OrderResult } from '../../domain/job/orders.ts'
import { Failure } from '../messaging/worker.ts'
import { attempt, providerOf, type Body, type Means, type Work } from './context.ts'

export const createNetwork = async (
  means: Means,
  { provider: name, networkId, datastoreId, region }: Body<'infra.create-network'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  // Asked once, by the first order of every datastore, so that a cloud that cannot work says so at once.
  const reason = await provider.unavailable()
  if (reason !== undefined) {
    means.log.error({ provider: name, reason }, 'a provider cannot work here')
    throw new Failure(`The cloud ${name} is not available.`, { final: true })
  }
  const { cidr } = await attempt(work, 'create the network', () =>
    provider.createNetwork({ networkId, datastoreId, region }),
  )
  work.note(`The network is there: ${cidr}`)
  return { cidr }
}

export const deleteNetwork = async (
  means: Means,
  { provider: name, networkId }: Body<'infra.delete-network'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  await attempt(work, 'delete the network', () => provider.deleteNetwork(networkId))
  work.note('The network is deleted')
  return {}
}
