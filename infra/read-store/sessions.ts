import { setTimeout as pause } from 'node:timers/promises'
import type { Pool, PoolClient } from 'pg'
import { z } from 'zod'
import { backoffMs } from '../runners/insist.ts'

type Line = (fields: object, message: string) => void

/** Resolves after `ms` milliseconds, or when `signal` aborts. */
export const rest = (ms: number, signal: AbortSignal): Promise<void> => pause(ms, undefined, { signal }).catch(() => undefined)

/**
 * Runs one session after another until `signal`: one that breaks is followed by the next, after a pause that grows.
 *
 * @param options.trouble what is logged of a session that broke
 * @param session told of `onSound`, to be called when all is well: the pauses are short again then
 */
export const inSessions = async (
  { signal, log, trouble }: { readonly signal: AbortSignal; readonly log: { readonly warn: Line }; readonly trouble: string },
  session: (onSound: () => void) => Promise<void>,
): Promise<void> => {
  for (let failures = 0; !signal.aborted; ) {
    try {
      await session(() => {
        failures = 0
      })
    } catch (err) {
      if (signal.aborted) return
      failures += 1
      log.warn({ err, failures }, trouble)
      await rest(backoffMs(failures), signal)
    }
  }
}

const Locked = z.tuple([z.object({ locked: z.boolean() })])

export type Sole = {
  readonly pool: Pick<Pool, 'connect'>
  /** The text that names the advisory lock. */
  readonly lock: string
  readonly askEveryMs: number
  readonly signal: AbortSignal
  readonly log: { readonly info: Line }
  /** What is logged, once, when another is at work. */
  readonly waiting: string
}

/**
 * Does `work` on a connection that holds the lock, once no other has it. With the connection the lock is lost, and the
 * signal that `work` is given aborts.
 *
 * @throws what `work` throws, or why the connection was lost
 */
export const aloneAtWork = async (
  { pool, lock, askEveryMs, signal, log, waiting }: Sole,
  work: (client: PoolClient, signal: AbortSignal) => Promise<void>,
): Promise<void> => {
  const lost = new AbortController()
  const client = await pool.connect()
  client.on('error', (error) => lost.abort(error))
  const until = AbortSignal.any([signal, lost.signal])
  const isLocked = async (): Promise<boolean> => {
    const { rows } = await client.query('select pg_try_advisory_lock(hashtextextended($1, 0)) as locked', [lock])
    return Locked.parse(rows)[0].locked
  }
  try {
    for (let told = false; !until.aborted && !(await isLocked()); told = true) {
      if (!told) log.info({}, waiting)
      await rest(askEveryMs, until)
    }
    if (!until.aborted) await work(client, until)
    lost.signal.throwIfAborted()
  } finally {
    // Ends the connection, and with it the lock.
    client.release(true)
  }
}
