import { Socket } from 'node:net'
import pg from 'pg'
import { authorityOf, datastoreOf, trusted } from './datastores.ts'
import { addressesOf } from './dns-client.ts'
import type { Api, RunningInstance } from './instance.ts'
import { until } from './until.ts'

const TIMEOUT_MS = 5_000
const RETRY_MS = 5
/** What is shorter is an ordinary commit. */
const PAUSE_MS_MIN = 100

export type Pause = { readonly ms: number; readonly before: number; readonly met: readonly string[] }

export type InsertWriter = {
  /** The numbers of which the database said that they are stored. */
  readonly acknowledged: () => readonly number[]
  /** What the others met with, connections included. */
  readonly failures: () => readonly string[]
  /** When a pause of that length or longer was over, how long it had been, and what was met with in between. */
  readonly pauses: (fromMs: number) => readonly Pause[]
  /** The longest time between two of them, or since the last one, since the writer began or was last asked. */
  readonly longestPauseMs: () => number
  /** Waits until so many more are acknowledged. */
  readonly goesOn: (count: number) => Promise<void>
  /** Ends it, and gives the numbers that the primary holds. */
  readonly stop: () => Promise<ReadonlySet<number>>
  /** The numbers that the server at this name holds. */
  readonly heldBy: (host: string) => Promise<ReadonlySet<number>>
  /** Whether the server at this name would store a row. */
  readonly takesWrites: (host: string) => Promise<boolean>
}

/**
 * Inserts one number after the other, each in a transaction of its own, through the name of the primary. Where a connection
 * ends it makes another one, as an application would; the number that was under way then may be stored or not.
 *
 * @param options.timeoutMs how long it waits for a connection or an answer before it makes another connection; default 5,000
 */
export const insertWriter = async (
  { dnsPort }: Pick<RunningInstance, 'dnsPort'>,
  api: Api,
  uuid: string,
  { timeoutMs = TIMEOUT_MS }: { readonly timeoutMs?: number } = {},
): Promise<InsertWriter> => {
  await trusted(api, uuid)
  const { db_account: account, primary_url: primary } = await datastoreOf(api, uuid)
  if (primary === null) throw new Error('the datastore has no name to connect to')
  const ca = await authorityOf(api, uuid)
  const sockets = new WeakMap<pg.Client, Socket>()
  const connected = async (host: string): Promise<pg.Client> => {
    const [address = 'no-address'] = await addressesOf({ port: dnsPort }, host)
    const socket = new Socket()
    const client = new pg.Client({
      stream: () => socket,
      host: address, port: 5432, user: account.database_username, password: account.database_password ?? '',
      database: account.database_database, ssl: { ca, servername: host, rejectUnauthorized: true },
      connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs,
    })
    // Heard by the query that breaks with it.
    client.on('error', () => undefined)
    sockets.set(client, socket)
    try {
      await client.connect()
    } catch (cause) {
      socket.destroy()
      throw new Error(`${host} (${address}) takes no connection: ${String(cause)}`, { cause })
    }
    return client
  }
  const heldBy = async (host: string): Promise<ReadonlySet<number>> => {
    const client = await connected(host)
    try {
      const { rows } = await client.query<{ number: number }>('select number from written')
      return new Set(rows.map(({ number }) => number))
    } finally {
      await client.end()
    }
  }
  const takesWrites = async (host: string): Promise<boolean> => {
    const client = await connected(host)
    try {
      const { rows } = await client.query<{ standby: boolean }>('select pg_is_in_recovery() as standby')
      return rows[0]?.standby === false
    } finally {
      await client.end()
    }
  }

  const first = await connected(primary)
  await first.query('create table if not exists written (number integer primary key)')
  // One before it may have written, the number under way too.
  const { rows: [last] } = await first.query<{ number: number | null }>('select max(number) as number from written')
  await first.end()

  const acknowledged: number[] = []
  const failures: string[] = []
  const pauses: Pause[] = []
  let metBefore = 0
  let stopped = false
  let lastMs = performance.now()
  let longestMs = 0
  const pauseEnds = (): void => {
    const nowMs = performance.now()
    const ms = nowMs - lastMs
    longestMs = Math.max(longestMs, ms)
    lastMs = nowMs
    if (ms >= PAUSE_MS_MIN) pauses.push({ ms, before: acknowledged.at(-1) ?? 0, met: failures.slice(metBefore) })
    metBefore = failures.length
  }
  const writing = (async () => {
    let number = last?.number ?? 0
    let client: pg.Client | undefined
    while (!stopped) {
      try {
        client ??= await connected(primary)
        number += 1
        await client.query('insert into written values ($1)', [number])
        acknowledged.push(number)
        pauseEnds()
      } catch (error) {
        failures.push(String(error))
        // Nobody waits for the good-bye of a server that is frozen or cut off.
        if (client !== undefined) sockets.get(client)?.destroy()
        client = undefined
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
    await client?.end().catch(() => undefined)
  })()

  return {
    acknowledged: () => acknowledged,
    failures: () => failures,
    pauses: (fromMs) => pauses.filter(({ ms }) => ms >= fromMs),
    longestPauseMs: () => {
      const found = Math.max(longestMs, performance.now() - lastMs)
      longestMs = 0
      return found
    },
    goesOn: async (count) => {
      const before = acknowledged.length
      await until(() => acknowledged.length >= before + count, { withinMs: 60_000, what: `${count} more writes` })
    },
    stop: async () => {
      stopped = true
      await writing
      return until(() => heldBy(primary), { withinMs: 30_000, what: 'the primary being read' })
    },
    heldBy,
    takesWrites,
  }
}
