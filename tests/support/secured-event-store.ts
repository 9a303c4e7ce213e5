import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EventStoreDBClient } from '@eventstore/db-client'
import { createAuthority, issue } from '../../infra/certificates/authority.ts'
import { eventStoreServer } from '../../infra/embedded/event-store/server.ts'
import { startPostgres } from './postgres.ts'
import { usersCalls } from './users-calls.ts'

export type Login = { readonly username: string; readonly password: string }

export type SecuredStore = Awaited<ReturnType<typeof securedStore>>

/** The embedded event store with TLS and an administrator, and clients of it; everything ends with `stop`. */
export const securedStore = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'secured-event-store-'))
  const authority = await createAuthority('event store of a test')
  const names = { commonName: 'event-store', dnsNames: ['localhost'], addresses: ['127.0.0.1'] }
  const { certificatePem, keyPem } = await issue(authority, { ...names, days: 1 })
  const authorityFile = join(folder, 'ca.pem')
  await writeFile(authorityFile, authority.certificatePem)
  const postgres = await startPostgres()
  const admin: Login = { username: 'admin', password: 'the administrator of this test' }
  const first = { login: admin.username, password: admin.password, fullName: 'Administrator', groups: ['$admins'] }
  const start = (port: number) =>
    eventStoreServer({
      host: '127.0.0.1',
      port,
      databaseUrl: postgres.url,
      security: { certificatePem, keyPem, users: [first] },
    })
  let server = await start(0)
  const { address } = server
  const clients: EventStoreDBClient[] = []
  const calls: ReturnType<typeof usersCalls>[] = []
  const query = `tls=true&tlsCaFile=${encodeURIComponent(authorityFile)}`
  const urlOf = (login: Login | undefined): string => {
    const who = login === undefined ? '' : `${encodeURIComponent(login.username)}:${encodeURIComponent(login.password)}@`
    return `esdb://${who}${address}?${query}`
  }
  const connect = (url: string): EventStoreDBClient => {
    const client = EventStoreDBClient.connectionString(url)
    clients.push(client)
    return client
  }
  return {
    address,
    query,
    admin,
    urlOf,
    connect,
    clientOf: (login: Login | undefined): EventStoreDBClient => connect(urlOf(login)),
    usersCallsOf: (login: Login): ReturnType<typeof usersCalls> => {
      const made = usersCalls({ address, authorityPem: authority.certificatePem }, login)
      calls.push(made)
      return made
    },
    listenOpenlyOn: (host: string) => eventStoreServer({ host, port: 0, databaseUrl: postgres.url }),
    restart: async (): Promise<void> => {
      await server.close()
      server = await start(Number(address.split(':')[1]))
    },
    stop: async (): Promise<void> => {
      for (const made of calls) made.close()
      await Promise.all(clients.map((client) => client.dispose()))
      await server.close()
      await postgres.stop()
      await rm(folder, { recursive: true })
    },
  }
}
