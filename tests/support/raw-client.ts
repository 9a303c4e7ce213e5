import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import { eventStoreServers } from './event-stores.ts'

/** As many events, numbered from 0. */
export const numbered = (count: number, type = 'Numbered') =>
  Array.from({ length: count }, (_, number) => jsonEvent({ type, data: { number } }))

/** All that a read yields. */
export const collect = async <T>(reading: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const it of reading) all.push(it)
  return all
}

/** The error's message and its own properties. @throws when there is none */
export const errorOf = async (attempt: () => Promise<unknown>): Promise<Record<string, unknown>> => {
  try {
    await attempt()
  } catch (error) {
    if (error instanceof Error) return Object.fromEntries([['message', error.message], ...Object.entries(error)])
    throw error
  }
  throw new Error('nothing was thrown')
}

/** Calls `body` once for every server there is, with a way to start it and the official client for it. */
export const eachServer = (
  body: (name: string, start: () => Promise<{ client: EventStoreDBClient; stop: () => Promise<void> }>) => void,
): void => {
  for (const [name, start] of Object.entries(eventStoreServers)) {
    body(name, async () => {
      const server = await start()
      const client = EventStoreDBClient.connectionString(server.connectionString)
      const stop = async (): Promise<void> => {
        await client.dispose()
        await server.stop()
      }
      return { client, stop }
    })
  }
}
