import { setTimeout as pause } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { knownDatastore } from '../../command-handlers/datastore-tools.ts'
import { derivedId } from '../../command-handlers/ids.ts'
import type { DatastoreCommand } from '../../domain/datastore/messages.ts'
import { planned } from '../../domain/datastore/datastore.ts'
import type { Cause, EventStore } from '../../domain/kernel/event-store.ts'
import { reached } from '../../domain/kernel/time.ts'
import type { ReadSchema } from '../../projections/schema.ts'

const ACTOR = { kind: 'system', id: 'ccx-runner-service' } as const
const DUE_MAX = 100
/** A job that came to nothing is asked for again after this long: a login whose time is up never stays for good. */
const AGAIN_MS = 600_000

export type Rotations = {
  readonly store: Pick<EventStore, 'read'>
  /** Of the read models. */
  readonly db: Kysely<ReadSchema>
  readonly send: (command: DatastoreCommand, cause: Cause) => Promise<unknown>
  readonly now: () => string
}

/**
 * Asks for the end of every login whose time is up: a job takes it away, and ends the sessions that came by it. The server
 * itself lets nobody in by it any more from that instant on. Any number of these may run.
 */
export const endRotations = async ({ store, db, send, now }: Rotations): Promise<void> => {
  const at = now()
  const due = await db
    .selectFrom('database_access as a')
    .innerJoin('datastores as d', 'd.datastore_id', 'a.datastore_id')
    .select('a.datastore_id')
    .where('a.ends_at', '<=', new Date(at))
    .where('d.status', '=', 'STARTED')
    .orderBy('a.ends_at')
    .limit(DUE_MAX)
    .execute()
  for (const { datastore_id: datastoreId } of due) {
    const { state } = await knownDatastore({ store }, datastoreId, undefined)
    const { spec } = planned(state)
    const turn = Math.floor(Date.parse(at) / AGAIN_MS)
    for (const { userId, logins } of spec.users ?? []) {
      const left = logins.filter(({ until }) => until === null || !reached(until, at))
      if (left.length === logins.length || left.length === 0) continue
      const over = logins.map(({ vaultId }) => vaultId).join()
      const commandId = derivedId('end of a login', datastoreId, userId, over, String(turn))
      const data = {
        datastoreId,
        jobId: derivedId('job', commandId),
        change: { kind: 'change-user', userId, to: { logins: left } },
        now: at,
      } as const
      const cause = { commandId, correlationId: commandId, causationId: commandId, actor: ACTOR, organisationId: spec.ownerId }
      await send({ type: 'ChangeDatastore', data }, cause)
    }
  }
}

/** Looks again and again until `signal`. */
export const followRotations = async (
  rotations: Rotations,
  { signal, intervalMs, onError }: {
    readonly signal: AbortSignal
    readonly intervalMs: number
    readonly onError: (error: unknown) => void
  },
): Promise<void> => {
  while (!signal.aborted) {
    await endRotations(rotations).catch((error: unknown) => {
      if (!signal.aborted) onError(error)
    })
    await pause(intervalMs, undefined, { signal }).catch(() => undefined)
  }
}
