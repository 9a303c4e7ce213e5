import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { z } from 'zod'
import { type Position, isAfter, parsePosition } from '../../domain/kernel/event-store.ts'
import { READ_SCHEMA } from '../../projections/schema.ts'
import { POSITION_CHANNEL } from './checkpoints.ts'
import { tableName } from './rows.ts'

const ASK_EVERY_MS = 250
const RETRY_MS_MIN = 50
const RETRY_MS_MAX = 2_000

export type ReadPosition = {
  /**
   * Waits until all read models have taken in the event at `position`, `withinMs` milliseconds at most.
   *
   * @returns whether they have
   */
  readonly waitFor: (position: Position, withinMs: number) => Promise<boolean>
  /** How far they have come, as far as is known here. */
  readonly known: () => Position | 'start'
  readonly close: () => Promise<void>
}

type Waiter = { readonly position: Position; readonly settle: (reached: boolean) => void }

const Checkpoints = z.array(
  z.object({ projection: z.string(), commit: z.string().transform(BigInt), prepare: z.string().transform(BigInt) }),
)

/**
 * Tells how far the read models have come, so that a caller can read what he wrote. One connection listens to the
 * projector and is replaced when it breaks; should a word be lost, the checkpoints are asked as long as somebody waits.
 *
 * @param options.url of the database that the read models are in
 * @param options.names the read models there are to be: as long as one has no checkpoint, nothing is known
 * @param options.onError told of connections that break or cannot be made
 */
export const readPosition = ({ url, schema = READ_SCHEMA, names = [], onError }: {
  readonly url: string
  readonly names?: readonly string[]
  readonly schema?: string
  readonly onError?: (error: unknown) => void
}): ReadPosition => {
  let known: Position | 'start' = 'start'
  const waiters = new Set<Waiter>()
  const closing = new AbortController()

  const advance = (position: Position | undefined): void => {
    if (position === undefined || !isAfter(position, known)) return
    known = position
    for (const waiter of waiters) if (!isAfter(waiter.position, position)) waiter.settle(true)
  }
  const connection = listening({ url, schema, names, onError, advance, signal: closing.signal })
  let asking: NodeJS.Timeout | undefined

  const waitFor = (position: Position, withinMs: number): Promise<boolean> => {
    if (!isAfter(position, known)) return Promise.resolve(true)
    if (closing.signal.aborted) return Promise.resolve(false)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const waiter: Waiter = {
      position,
      settle: (reached) => {
        clearTimeout(limit)
        waiters.delete(waiter)
        if (waiters.size === 0) {
          clearInterval(asking)
          asking = undefined
        }
        resolve(reached)
      },
    }
    const limit = setTimeout(() => waiter.settle(false), withinMs)
    waiters.add(waiter)
    asking ??= setInterval(connection.ask, ASK_EVERY_MS)
    return promise
  }

  return {
    waitFor,
    known: () => known,
    close: async () => {
      closing.abort()
      for (const waiter of waiters) waiter.settle(false)
      await connection.ended
    },
  }
}

type Listening = {
  readonly url: string
  readonly schema: string
  readonly names: readonly string[]
  readonly onError: ((error: unknown) => void) | undefined
  readonly advance: (position: Position | undefined) => void
  readonly signal: AbortSignal
}

/** A connection for as long as `signal` lets it, another one whenever it breaks. */
const listening = ({ url, schema, names, onError, advance, signal }: Listening) => {
  let current: pg.Client | undefined
  const query = `select projection, position_commit::text as commit, position_prepare::text as prepare
    from ${tableName(schema, 'checkpoints')} order by position_commit, position_prepare`

  const askOver = async (client: pg.Client): Promise<void> => {
    const { rows } = await client.query(query)
    const checkpoints = Checkpoints.parse(rows)
    const there = new Set(checkpoints.map(({ projection }) => projection))
    if (names.every((name) => there.has(name))) advance(checkpoints[0])
  }

  /** Until the connection ends, by itself or by `signal`. */
  const once = async (): Promise<void> => {
    const client = new pg.Client({
      connectionString: url,
      application_name: 'ccx-read-position',
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
    })
    const over = Promise.withResolvers<void>()
    const stop = () => over.resolve()
    client.on('error', (error) => over.reject(error))
    client.on('end', stop)
    client.on('notification', ({ payload }) => advance(parsePosition(payload ?? '')))
    // Nobody looks at it before the connection is made.
    over.promise.catch(() => undefined)
    signal.addEventListener('abort', stop, { once: true })
    try {
      await client.connect()
      await client.query(`listen ${POSITION_CHANNEL}`)
      await askOver(client)
      current = client
      await over.promise
    } finally {
      current = undefined
      signal.removeEventListener('abort', stop)
      await client.end().catch(() => undefined)
    }
  }

  const ended = (async () => {
    for (let retryMs = RETRY_MS_MIN; !signal.aborted; retryMs = Math.min(2 * retryMs, RETRY_MS_MAX)) {
      const began = performance.now()
      await once().catch((error: unknown) => onError?.(error))
      if (performance.now() - began > RETRY_MS_MAX) retryMs = RETRY_MS_MIN
      if (!signal.aborted) await pause(retryMs, undefined, { signal }).catch(() => undefined)
    }
  })()

  let underWay = false
  const ask = (): void => {
    if (current === undefined || underWay) return
    underWay = true
    void askOver(current)
      .catch((error: unknown) => onError?.(error))
      .finally(() => {
        underWay = false
      })
  }
  return { ended, ask }
}
