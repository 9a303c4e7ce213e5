import { setTimeout as pause } from 'node:timers/promises'
import type { PoolClient } from 'pg'
import { z } from 'zod'
import { organisationOf } from '../../domain/audit/chain.ts'
import { CHECKPOINT_PREFIX, KEY_PREFIX } from '../../domain/audit/checkpoint.ts'
import { type Delivery, type EventStore, type Position, type Recorded, isAfter } from '../../domain/kernel/event-store.ts'
import { PREFIXES } from '../../projections/known-event.ts'
import type { ReadStore } from '../read-store/connect.ts'
import { inTransaction } from '../read-store/fold.ts'
import { type Chain, grown, loadChains, putGrowth, unsignedChains } from './entries.ts'
import { type Disagreement, parted, putCheckpoints, putKeys } from './heads.ts'
import { readProgress } from './position.ts'

const BATCH_MAX = 4_000
const LOCK_ASK_EVERY_MS = 250
const RETRY_MS_MAX = 5_000

type Line = (fields: object, message: string) => void

export type AuditWriterOptions = {
  readonly store: Pick<EventStore, 'subscribe'>
  readonly readStore: Pick<ReadStore<unknown>, 'pool'>
  /** Ends the writer; the batch at hand is finished first. */
  readonly signal: AbortSignal
  readonly log: { readonly info: Line; readonly warn: Line; readonly error: Line }
  /** Events in one transaction at most; default 4,000. */
  readonly batchMax?: number
  /** Told after each commit of chains that have grown; once everything of long ago is in, also of those never signed. */
  readonly onGrown?: (chains: ReadonlyMap<string, Chain>) => void
  /** Told after each commit how far the trail has come, and the last event that it took in, if any. */
  readonly onAdvanced?: (position: Position, last: Pick<Recorded, 'recordedAt'> | undefined) => void
}

type Session = AuditWriterOptions & { readonly client: PoolClient }

/**
 * Writes the audit trail from the log, until `signal`. Entries and the place in the log move in one transaction, on the
 * very connection that holds the lock of the one writer; a second writer waits. What breaks is begun again.
 */
export const auditWriter = async (options: AuditWriterOptions): Promise<void> => {
  const { signal, log } = options
  for (let failures = 0; !signal.aborted; ) {
    try {
      await session({
        ...options,
        onAdvanced: (position, last) => {
          failures = 0
          options.onAdvanced?.(position, last)
        },
      })
    } catch (error) {
      if (signal.aborted) return
      failures += 1
      log.warn({ err: error, failures }, 'the audit trail is not kept up; beginning again')
      await rest(Math.min(50 * 2 ** Math.min(failures, 10), RETRY_MS_MAX), signal)
    }
  }
}

const rest = (ms: number, signal: AbortSignal): Promise<void> => pause(ms, undefined, { signal }).catch(() => undefined)

const session = async (options: AuditWriterOptions): Promise<void> => {
  const lost = new AbortController()
  const client = await options.readStore.pool.connect()
  client.on('error', (error) => lost.abort(error))
  const own: Session = { ...options, client, signal: AbortSignal.any([options.signal, lost.signal]) }
  try {
    await lock(own)
    await follow(own)
    lost.signal.throwIfAborted()
  } finally {
    // Ends the connection, and with it the lock.
    client.release(true)
  }
}

const Locked = z.tuple([z.object({ locked: z.boolean() })])

const lock = async ({ client, signal, log }: Session): Promise<void> => {
  for (let told = false; !signal.aborted; told = true) {
    const { rows } = await client.query("select pg_try_advisory_lock(hashtextextended('ccx audit', 0)) as locked")
    if (Locked.parse(rows)[0].locked) return
    if (!told) log.info({}, 'another writer of the audit trail is at work; waiting for its place')
    await rest(LOCK_ASK_EVERY_MS, signal)
  }
}

const follow = async (own: Session): Promise<void> => {
  const { store, client, signal, batchMax = BATCH_MAX, onGrown } = own
  if (signal.aborted) return
  let at = await readProgress(client)
  let caughtUp = false
  const prefixes = [...PREFIXES, CHECKPOINT_PREFIX, KEY_PREFIX]
  for await (const delivery of store.subscribe({ after: at, prefixes, signal, batchMax })) {
    if (signal.aborted) return
    const chains = isAfter(delivery.position, at) ? await take(own, delivery) : new Map<string, Chain>()
    at = delivery.position
    // Before that, what is read may have been signed long ago.
    if (caughtUp) onGrown?.(chains)
    else if (delivery.caughtUp) onGrown?.(await unsignedChains(client))
    caughtUp = delivery.caughtUp
  }
}

const take = async (own: Session, { events, position }: Delivery): Promise<ReadonlyMap<string, Chain>> => {
  const { client, log, onAdvanced } = own
  const { audited, checkpoints, keys } = parted(events)
  let chains: ReadonlyMap<string, Chain> = new Map()
  let disagreements: readonly Disagreement[] = []
  await inTransaction(client, async () => {
    if (audited.length > 0) {
      const growth = grown(await loadChains(client, [...new Set(audited.map(organisationOf))]), audited)
      await putGrowth(client, growth)
      chains = growth.chains
    }
    await putKeys(client, keys)
    disagreements = await putCheckpoints(client, checkpoints)
    await client.query(
      `insert into audit.progress (position_commit, position_prepare) values ($1::numeric, $2::numeric)
       on conflict (single) do update set position_commit = excluded.position_commit,
         position_prepare = excluded.position_prepare`,
      [`${position.commit}`, `${position.prepare}`],
    )
  })
  for (const { organisation_id: organisationId, size } of disagreements) {
    log.error({ organisationId, size }, 'the log is not what a signed checkpoint says it was')
  }
  onAdvanced?.(position, events.at(-1))
  return chains
}
