import type { OrderResult } from '../../domain/job/orders.ts'
import { attempt, ownMachine, providerOf, type Body, type Means, type Work } from './context.ts'

export const createMachine = async (
  means: Means,
  { provider: name, ...spec }: Body<'infra.create-machine'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  const { machineId, privateAddress } = await attempt(work, 'create the machine', async () => {
    await ownMachine(provider, spec)
    return provider.createMachine(spec)
  })
  work.note(`The machine ${spec.name} is there: ${privateAddress}, zone ${spec.zone}`)
  return { machineId, privateAddress }
}

export const deleteMachine = async (
  means: Means,
  { provider: name, ...node }: Body<'infra.delete-machine'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  await attempt(work, 'delete the machine', async () => {
    await ownMachine(provider, node)
    await provider.deleteMachine(node.nodeId)
  })
  work.note('The machine is deleted')
  return {}
}

export const bootMachine = async (
  means: Means,
  { provider: name, ...node }: Body<'infra.boot-machine'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  await attempt(work, 'boot the machine', async () => {
    await ownMachine(provider, node)
    await provider.boot(node.nodeId)
  })
  work.note('The machine is up')
  return {}
}

export const resizeMachine = async (
  means: Means,
  { provider: name, instance, ...node }: Body<'infra.resize-machine'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  await attempt(work, 'resize the machine', async () => {
    await ownMachine(provider, node)
    await provider.resize(node.nodeId, instance)
  })
  work.note(`The machine is up with the size ${instance.code}: ${instance.cpu} CPU, ${instance.ramGb} GiB of memory`)
  return {}
}
