import { z } from 'zod'
import type { JsonValue } from '../../domain/kernel/json.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import type { ControllerStore } from '../controller-store/controller-store.ts'
import type { Engine } from '../engines/engine.ts'
import type { Provider } from '../providers/provider.ts'
import { nodes } from './nodes.ts'

/** What the controller is asked which databases and users a datastore has. */
export const INHABITANTS = 'inhabitants'
const LOOK_TIMEOUT_MS = 5_000

export const InhabitantsQuestion = z.object({ datastoreId: z.string() })

/** The names are sealed on their way. */
export const InhabitantsAnswer = z.object({
  databases: z.array(
    z.object({ name: z.string(), owner: z.string(), sizeBytes: z.number(), tables: z.number().nullable() }),
  ),
  users: z.array(z.object({ name: z.string(), grants: z.string(), authPlugin: z.string() })),
})

/**
 * Tells which databases and users the servers of a datastore have, by asking the first of its members that answers, its
 * primary before all: the others have a copy.
 *
 * @throws when none of them answers in time
 */
export const inhabitantsOf = ({ engines, providers, store, personal }: {
  readonly engines: readonly Engine[]
  readonly providers: readonly Provider[]
  readonly store: Pick<ControllerStore, 'clusters' | 'hosts'>
  readonly personal: Pick<PersonalData, 'seal'>
}) => {
  const reachable = nodes({ engines, providers })
  return async (question: JsonValue): Promise<JsonValue> => {
    const { datastoreId } = InhabitantsQuestion.parse(question)
    const cluster = (await store.clusters()).find((one) => one.datastoreId === datastoreId)
    if (cluster === undefined) throw new Error('the controller knows no such datastore')
    const hosts = (await store.hosts(datastoreId)).filter(({ shutDown }) => !shutDown)
    const primaryFirst = hosts.toSorted((a, b) => Number(b.role === 'primary') - Number(a.role === 'primary'))
    const work = { signal: AbortSignal.timeout(LOOK_TIMEOUT_MS), note: () => {}, progress: () => {} }
    const failures: unknown[] = []
    for (const { nodeId } of primaryFirst) {
      try {
        const seen = await reachable.engine(cluster).inhabitants(await reachable.reach(cluster, nodeId, work))
        const seal = (text: string) => personal.seal(cluster.ownerId, text)
        const { databases, users } = seen
        return {
          databases: await Promise.all(
            databases.map(async (one) => ({ ...one, name: await seal(one.name), owner: await seal(one.owner) })),
          ),
          users: await Promise.all(
            users.map(async (one) => ({ ...one, name: await seal(one.name), grants: await seal(one.grants) })),
          ),
        }
      } catch (error) {
        failures.push(error)
      }
    }
    throw new AggregateError(failures, 'no member of the datastore answered')
  }
}
