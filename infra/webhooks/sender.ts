import { setTimeout as pause } from 'node:timers/promises'
import type { Pool, PoolClient } from 'pg'
import { z } from 'zod'
import { POSITION_CHANNEL } from '../read-store/checkpoints.ts'
import { type Delivering, deliver } from './deliver.ts'
import { dueWebhooks, meet, prune } from './delivery-store.ts'
import { ERRAND_CHANNEL, WEBHOOKS } from './migrations.ts'

type Line = (fields: object, message: string) => void

export type Sender = Delivering & {
  readonly pool: Pool
  readonly log: { readonly info: Line; readonly warn: Line }
  /** Endpoints that are sent to at the same time, at most. */
  readonly concurrency: number
  /** How often to look without having been told of anything; default 1,000. */
  readonly pollMs?: number
}

const LOCK_ASK_EVERY_MS = 500
/** Many commits of the projector in a row are looked at together. */
const LOOK_EVERY_MS_MIN = 25
const RETRY_MS_MAX = 5_000
const PRUNE_EVERY_MS = 3_600_000
const KEPT_MS = 30 * 24 * 3_600_000

/**
 * Sends webhooks until `signal`. One sender is at work at a time; the others wait for the lock on its connection, and one
 * of them goes on when that breaks. Should the old one still be sending then, the endpoints' rows let only one of them
 * move on, and the receiver sees an event twice under the same id.
 */
export const sender = async (options: Sender): Promise<void> => {
  const { signal, log } = options
  for (let failures = 0; !signal.aborted; ) {
    try {
      await session(options, () => {
        failures = 0
      })
    } catch (err) {
      if (signal.aborted) return
      failures += 1
      log.warn({ err, failures }, 'webhooks are not sent; beginning again')
      await rest(Math.min(50 * 2 ** Math.min(failures, 10), RETRY_MS_MAX), signal)
    }
  }
}

const rest = (ms: number, signal: AbortSignal): Promise<void> => pause(ms, undefined, { signal }).catch(() => undefined)

const session = async (options: Sender, onSound: () => void): Promise<void> => {
  const lost = new AbortController()
  const client = await options.pool.connect()
  client.on('error', (error) => lost.abort(error))
  const own = { ...options, signal: AbortSignal.any([options.signal, lost.signal]) }
  const running = new Map<string, Promise<void>>()
  try {
    await lock(own, client)
    if (!own.signal.aborted) await work(own, client, { running, onSound })
    lost.signal.throwIfAborted()
  } finally {
    await Promise.all(running.values())
    // Ends the connection, and with it the lock.
    client.release(true)
  }
}

const Locked = z.tuple([z.object({ locked: z.boolean() })])

const lock = async ({ signal, log }: Sender, client: PoolClient): Promise<void> => {
  for (let told = false; !signal.aborted; told = true) {
    const question = 'select pg_try_advisory_lock(hashtextextended($1, 0)) as locked'
    const { rows } = await client.query(question, [`ccx sender ${WEBHOOKS}`])
    if (Locked.parse(rows)[0].locked) return
    if (!told) log.info({}, 'another sender of webhooks is at work; waiting for its place')
    await rest(LOCK_ASK_EVERY_MS, signal)
  }
}

/** Lets one wait until something is to be looked at. */
const bell = () => {
  let rung = Promise.withResolvers<void>()
  return {
    ring: (): void => rung.resolve(),
    heard: async (withinMs: number, signal: AbortSignal): Promise<void> => {
      const waiting = new AbortController()
      await Promise.race([rung.promise, rest(withinMs, AbortSignal.any([signal, waiting.signal]))])
      waiting.abort()
      rung = Promise.withResolvers()
    },
  }
}

const work = async (
  own: Sender,
  client: PoolClient,
  { running, onSound }: { readonly running: Map<string, Promise<void>>; readonly onSound: () => void },
): Promise<void> => {
  const { db, now, signal, log, concurrency, pollMs = 1_000 } = own
  const { ring, heard } = bell()
  client.on('notification', ring)
  await client.query(`listen ${POSITION_CHANNEL}; listen ${ERRAND_CHANNEL}`)
  let prunedAtMs = 0
  /** Who had something to do and could not begin. */
  let waiting = new Set<string>()

  const begin = (webhookId: string): void => {
    const turn = async (): Promise<void> => {
      let again = false
      try {
        again = await deliver(own, webhookId)
      } catch (err) {
        if (!signal.aborted) log.warn({ err, webhookId }, 'a webhook could not be looked after; it is looked at again')
      }
      running.delete(webhookId)
      if (again || waiting.size > 0) ring()
    }
    running.set(webhookId, turn())
  }

  while (!signal.aborted) {
    const nowMs = Date.parse(now())
    await meet(db)
    const due = await dueWebhooks(db, new Date(nowMs))
    waiting = new Set(due.filter((webhookId) => running.has(webhookId)))
    for (const webhookId of due) {
      if (running.has(webhookId)) continue
      if (running.size < concurrency) begin(webhookId)
      else waiting.add(webhookId)
    }
    onSound()
    if (nowMs - prunedAtMs > PRUNE_EVERY_MS) {
      await prune(db, new Date(nowMs - KEPT_MS))
      prunedAtMs = nowMs
    }
    await rest(LOOK_EVERY_MS_MIN, signal)
    await heard(pollMs, signal)
  }
}
