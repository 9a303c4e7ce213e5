import type { OrderBodies } from '../../domain/job/orders.ts'
import type { Dns } from '../dns/dns.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import { Failure, type Work } from '../messaging/worker.ts'
import { CannotProvide, type Provider } from '../providers/provider.ts'
import type { Log } from '../telemetry/logger.ts'

/** What the deployer works with. */
export type Means = {
  readonly providers: readonly Provider[]
  readonly dns: Dns
  readonly personal: Pick<PersonalData, 'open'>
  readonly log: Log
}

/** The body of an order of the deployer. */
export type Body<Subject extends keyof OrderBodies> = Readonly<OrderBodies[Subject]>

export type { Work }

/**
 * The provider of that name.
 *
 * @throws Failure, final, when there is none
 */
export const providerOf = ({ providers }: Means, name: string): Provider => {
  const provider = providers.find((one) => one.name === name)
  if (provider === undefined) throw new Failure(`There is no cloud ${name} here.`, { final: true })
  return provider
}

/**
 * Does something in the world, and says in a tenant's words what could not be done.
 *
 * @param what follows "could not": "create the machine"
 * @throws Failure, final when the provider says that no repetition can help
 */
export const attempt = async <T>({ signal }: Work, what: string, act: () => Promise<T>): Promise<T> => {
  signal.throwIfAborted()
  try {
    return await act()
  } catch (cause) {
    if (cause instanceof Failure) throw cause
    const final = cause instanceof CannotProvide
    throw new Failure(`The cloud could not ${what}${final ? `: ${cause.message}.` : '.'}`, { final, cause })
  }
}

/** Refuses to touch a machine of another datastore: an order that names one is wrong, and stays wrong. */
export const ownMachine = async (
  provider: Provider,
  { nodeId, datastoreId }: { readonly nodeId: string; readonly datastoreId: string },
): Promise<void> => {
  const machine = await provider.find(nodeId)
  if (machine !== undefined && machine.datastoreId !== datastoreId) {
    throw new Failure('The machine belongs to another datastore.', { final: true })
  }
}
