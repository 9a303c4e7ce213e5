import type { OrderResult } from '../../domain/job/orders.ts'
import type { FirewallRules } from '../../domain/job/orders.ts'
import { normalisedSource } from '../../domain/datastore/source.ts'
import type { Provider } from '../providers/provider.ts'
import { attempt, ownMachine, providerOf, type Body, type Means, type Work } from './context.ts'

export const createMachine = async (
  means: Means,
  { provider: name, firewall, ...spec }: Body<'infra.create-machine'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  const { machineId, privateAddress } = await attempt(work, 'create the machine', async () => {
    await ownMachine(provider, spec)
    const made = await provider.createMachine(spec)
    if (firewall !== undefined) await filter(means, provider, { nodeId: spec.nodeId, firewall })
    return made
  })
  work.note(`The machine ${spec.name} is there: ${privateAddress}, zone ${spec.zone}`)
  return { machineId, privateAddress }
}

type Filtered = { readonly nodeId: string; readonly firewall: FirewallRules }

/** Sets the packet filter, where the provider has one; elsewhere the engine's own rules are all there is. */
const filter = async ({ personal }: Means, provider: Provider, { nodeId, firewall }: Filtered): Promise<boolean> => {
  const { ports, trusted } = firewall
  if (provider.setFirewall === undefined) return false
  const sources = trusted && (await personal.open(trusted)).flatMap((source) => normalisedSource(source) ?? [])
  await provider.setFirewall(nodeId, { ports, sources: sources ?? 'everybody' })
  return true
}

export const setFirewall = async (
  means: Means,
  { provider: name, firewall, ...node }: Body<'infra.set-firewall'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  const isSet = await attempt(work, 'set the packet filter', async () => {
    await ownMachine(provider, node)
    return (await provider.find(node.nodeId)) === undefined ? undefined : filter(means, provider, { ...node, firewall })
  })
  if (isSet === undefined) work.note('The machine is gone already')
  else work.note(isSet ? 'The packet filter is set' : 'The cloud has no packet filter; the database servers have their own rules')
  return {}
}

export const haltMachine = async (
  means: Means,
  { provider: name, ...node }: Body<'infra.halt-machine'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  await attempt(work, 'turn the machine off', async () => {
    await ownMachine(provider, node)
    await provider.halt(node.nodeId, { staysOff: true })
  })
  work.note('The machine is off')
  return {}
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
