import type { PoolClient } from 'pg'
import { organisationOf } from '../../domain/audit/chain.ts'
import { CHECKPOINT_PREFIX, KEY_PREFIX } from '../../domain/audit/checkpoint.ts'
import { type Delivery, type EventStore, type Position, type Recorded, isAfter } from '../../domain/kernel/event-store.ts'
import { PREFIXES } from '../../projections/known-event.ts'
import type { ReadStore } from '../read-store/connect.ts'
import { inTransaction } from '../read-store/fold.ts'
import { aloneAtWork, inSessions } from '../read-store/sessions.ts'
import { type Chain, grown, loadChains, putGrowth, unsignedChains } from './entries.ts'
import { type Disagreement, parted, putCheckpoints, putKeys } from './heads.ts'
import { readProgress } from './position.ts'

const BATCH_MAX = 4_000
const LOCK_ASK_EVERY_MS = 250

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
export const auditWriter = (options: AuditWriterOptions): Promise<void> => {
  const { readStore: { pool }, signal, log } = options
  const sole = {
    pool,
    lock: 'ccx audit',
    askEveryMs: LOCK_ASK_EVERY_MS,
    signal,
    log,
    waiting: 'another writer of the audit trail is at work; waiting for its place',
  }
  return inSessions({ signal, log, trouble: 'the audit trail is not kept up; beginning again' }, (onSound) =>
    aloneAtWork(sole, (client, until) =>
      follow({
        ...options,
        client,
        signal: until,
        onAdvanced: (position, last) => {
          onSound()
          options.onAdvanced?.(position, last)
        },
      }),
    ),
  )
}

const follow = async (own: Session): Promise<void> => {
  const { store, client, signal, batchMax = BATCH_MAX, onGrown } = own
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
