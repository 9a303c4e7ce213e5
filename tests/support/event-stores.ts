import { eventStoreServer } from '../../infra/embedded/event-store/server.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import { environment } from './environment.ts'
import { startPostgres } from './postgres.ts'

export type StartedEventStore = { readonly store: EventStore; readonly stop: () => Promise<void> }

const embedded = async (): Promise<StartedEventStore> => {
  const postgres = await startPostgres()
  const server = await eventStoreServer({ host: '127.0.0.1', port: 0, databaseUrl: postgres.url })
  const store = esdbEventStore({ connectionString: `esdb://${server.address}?tls=false` })
  const stop = async (): Promise<void> => {
    await store.close()
    await server.close()
    await postgres.stop()
  }
  return { store, stop }
}

const given = async (connectionString: string): Promise<StartedEventStore> => {
  const store = esdbEventStore({ connectionString })
  await store.ping()
  return { store, stop: store.close }
}

/** Every implementation of the event store's port that can be had here. */
export const eventStores: Readonly<Record<string, () => Promise<StartedEventStore>>> = {
  memory: async () => ({ store: memoryEventStore(), stop: async () => undefined }),
  'esdb on the embedded server': embedded,
  ...(environment.eventStoreUrl === undefined
    ? {}
    : { 'esdb on the given server': given.bind(undefined, environment.eventStoreUrl) }),
}
