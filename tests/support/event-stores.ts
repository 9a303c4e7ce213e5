import { eventStoreServer } from '../../infra/embedded/event-store/server.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import { environment } from './environment.ts'
import { startPostgres } from './postgres.ts'
import { securedStore } from './secured-event-store.ts'

export type StartedEventStore = { readonly store: EventStore; readonly stop: () => Promise<void> }

export type StartedServer = { readonly connectionString: string; readonly stop: () => Promise<void> }

const embeddedServer = async (): Promise<StartedServer> => {
  const postgres = await startPostgres()
  const server = await eventStoreServer({ host: '127.0.0.1', port: 0, databaseUrl: postgres.url })
  const stop = async (): Promise<void> => {
    await server.close()
    await postgres.stop()
  }
  return { connectionString: `esdb://${server.address}?tls=false`, stop }
}

const embedded = async (): Promise<StartedEventStore> => {
  const server = await embeddedServer()
  const store = esdbEventStore({ connectionString: server.connectionString })
  const stop = async (): Promise<void> => {
    await store.close()
    await server.stop()
  }
  return { store, stop }
}

const overTls = async (): Promise<StartedEventStore> => {
  const secured = await securedStore()
  const store = esdbEventStore({ connectionString: secured.urlOf(secured.admin) })
  const stop = async (): Promise<void> => {
    await store.close()
    await secured.stop()
  }
  return { store, stop }
}

const given = async (connectionString: string): Promise<StartedEventStore & StartedServer> => {
  const store = esdbEventStore({ connectionString })
  await store.ping()
  return { connectionString, store, stop: store.close }
}

/** Every implementation of the event store's port that can be had here. */
export const eventStores: Readonly<Record<string, () => Promise<StartedEventStore>>> = {
  memory: async () => ({ store: memoryEventStore(), stop: async () => undefined }),
  'esdb on the embedded server': embedded,
  'esdb on the embedded server, over TLS as a user': overTls,
  ...(environment.eventStoreUrl === undefined
    ? {}
    : { 'esdb on the given server': given.bind(undefined, environment.eventStoreUrl) }),
}

/** Every server that the official client can talk to here; a real one is given by `ESDB_URL`. */
export const eventStoreServers: Readonly<Record<string, () => Promise<StartedServer>>> = {
  'the embedded server': embeddedServer,
  ...(environment.eventStoreUrl === undefined
    ? {}
    : { 'the given server': given.bind(undefined, environment.eventStoreUrl) }),
}
