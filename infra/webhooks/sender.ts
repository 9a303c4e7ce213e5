import type { Pool, PoolClient } from 'pg'
import { POSITION_CHANNEL } from '../read-store/checkpoints.ts'
import { aloneAtWork, inSessions, rest } from '../read-store/sessions.ts'
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
const PRUNE_EVERY_MS = 3_600_000
const KEPT_MS = 30 * 24 * 3_600_000

/**
 * Sends webhooks until `signal`. One sender is at work at a time; the others wait for the lock on its connection, and one
 * of them goes on when that breaks. Should the old one still be sending then, the endpoints' rows let only one of them
 * move on, and the receiver sees an event twice under the same id.
 */
export const sender = (options: Sender): Promise<void> => {
  const { pool, signal, log } = options
  const sole = {
    pool,
    lock: `ccx sender ${WEBHOOKS}`,
    askEveryMs: LOCK_ASK_EVERY_MS,
    signal,
    log,
    waiting: 'another sender of webhooks is at work; waiting for its place',
  }
  return inSessions({ signal, log, trouble: 'webhooks are not sent; beginning again' }, (onSound) =>
    aloneAtWork(sole, async (client, until) => {
      const running = new Map<string, Promise<void>>()
      try {
        await work({ ...options, signal: until }, client, { running, onSound })
      } finally {
        await Promise.all(running.values())
      }
    }),
  )
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
