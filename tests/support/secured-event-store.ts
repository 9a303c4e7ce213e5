import { EventStoreDBClient } from '@eventstore/db-client'
import { eventStoreServer } from '../../infra/embedded/event-store/server.ts'
import { eventStoreSecurity, type Login } from './event-store-security.ts'
import { startPostgres } from './postgres.ts'
import { usersCalls } from './users-calls.ts'

export type SecuredStore = Awaited<ReturnType<typeof securedStore>>

/** The embedded event store with TLS and an administrator, and clients of it; everything ends with `stop`. */
export const securedStore = async () => {
  const { security, authorityPem, admin, query, urlOf, remove } = await eventStoreSecurity()
  const postgres = await startPostgres()
  const server = await eventStoreServer({ host: '127.0.0.1', port: 0, databaseUrl: postgres.url, security })
  const { address } = server
  const clients: EventStoreDBClient[] = []
  const calls: ReturnType<typeof usersCalls>[] = []
  const connect = (url: string): EventStoreDBClient => {
    const client = EventStoreDBClient.connectionString(url)
    clients.push(client)
    return client
  }
  return {
    address,
    query,
    admin,
    authorityPem,
    urlOf: (login: Login | undefined): string => urlOf(address, login),
    connect,
    clientOf: (login: Login | undefined): EventStoreDBClient => connect(urlOf(address, login)),
    usersCallsOf: (login: Login): ReturnType<typeof usersCalls> => {
      const made = usersCalls({ address, authorityPem }, login)
      calls.push(made)
      return made
    },
    /** Another one on the same log, without TLS and users. */
    listenOpenlyOn: (host: string) => eventStoreServer({ host, port: 0, databaseUrl: postgres.url }),
    stop: async (): Promise<void> => {
      for (const made of calls) made.close()
      await Promise.all(clients.map((client) => client.dispose()))
      await server.close()
      await postgres.stop()
      await remove()
    },
  }
}
