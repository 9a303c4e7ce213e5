import type { OrderResult } from '../../domain/job/orders.ts'
import { Failure } from '../messaging/worker.ts'
import type { Provider, Resource } from '../providers/provider.ts'
import { attempt, providerOf, type Body, type Means, type Work } from './context.ts'

const ROUNDS_MAX = 5

/** What is attached goes before what it is attached to. */
const ORDER: readonly Resource['kind'][] = ['address', 'volume', 'machine', 'network']

const remove = async (provider: Provider, { kind, resourceId, nodeId }: Resource): Promise<void> => {
  if (kind === 'network') return provider.deleteNetwork(resourceId)
  if (nodeId === null) throw new Error(`BUG: the provider lists the ${kind} ${resourceId} without its node`)
  switch (kind) {
    case 'address':
      return provider.releaseAddress(nodeId)
    case 'volume':
      return provider.deleteVolume(nodeId)
    case 'machine':
      return provider.deleteMachine(nodeId)
  }
}

/**
 * Removes whatever still belongs to the datastore, and answers only when a listing made after that is empty.
 *
 * @throws Failure when something is left after a few rounds, or, final, when the suffix is not the datastore's own: it
 *   would take the names of others
 */
export const sweep = async (
  means: Means,
  { provider: name, datastoreId, suffix }: Body<'infra.sweep'>,
  work: Work,
): Promise<OrderResult> => {
  const provider = providerOf(means, name)
  if (!suffix.startsWith(`${datastoreId}.`)) {
    throw new Failure('The names to remove are not those of the datastore.', { final: true })
  }
  for (let round = 0; round <= ROUNDS_MAX; round++) {
    const left = await attempt(work, 'list what is left', async () => ({
      resources: await provider.list(datastoreId),
      names: (await means.dns.list(suffix)).map((record) => record.name),
    }))
    if (left.resources.length === 0 && left.names.length === 0) {
      work.note('Nothing is left')
      return {}
    }
    if (round === ROUNDS_MAX) break
    for (const kind of ORDER) {
      for (const resource of left.resources.filter((one) => one.kind === kind)) {
        work.note(`Removing a ${kind} that was left: ${resource.resourceId}`)
        await attempt(work, `remove a ${kind} that was left`, () => remove(provider, resource))
      }
    }
    if (left.names.length > 0) {
      work.note(`Withdrawing names that were left: ${left.names.join(', ')}`)
      await attempt(work, 'withdraw names that were left', () => means.dns.withdraw(left.names))
    }
  }
  throw new Failure('Something of the datastore is still there.')
}
