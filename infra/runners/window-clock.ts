import type { Kysely } from 'kysely'
import type { Pool } from 'pg'
import { type Known, knownDatastore, type sendingAdmitted } from '../../command-handlers/datastore-tools.ts'
import { derivedId, nodesOf } from '../../command-handlers/ids.ts'
import { Refused } from '../../domain/kernel/endpoint.ts'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import { isOpen, type Maintenance, type Window, windowAt } from '../../domain/maintenance/window.ts'
import type { ReadSchema } from '../../projections/schema.ts'
import { aloneAtWork, inSessions, rest } from '../read-store/sessions.ts'
import { inWindow, type WaitsForWindow } from './in-window.ts'

type Line = (fields: object, message: string) => void

export type WindowClock = {
  readonly store: Pick<EventStore, 'read'>
  /** Of the read models. */
  readonly db: Kysely<ReadSchema>
  readonly pool: Pick<Pool, 'connect'>
  /** Refuses what asks for a job that is not taken at present. */
  readonly send: ReturnType<typeof sendingAdmitted>['send']
  readonly now: () => string
  /** From one look at all datastores to the next, in milliseconds. */
  readonly intervalMs: number
  /** After a datastore for which something was begun, in milliseconds: not all of a region at once. */
  readonly pauseMs: number
  readonly signal: AbortSignal
  readonly log: { readonly info: Line; readonly warn: Line }
}

const ACTOR = { kind: 'system', id: 'ccx-runner-service' } as const
const LOCK_ASK_EVERY_MS = 500

/** The datastore's window, if it is open. */
const openWindow = (maintenance: Maintenance, at: string): Window | undefined => {
  const window = windowAt(maintenance, at)
  return isOpen(window, at) ? window : undefined
}

/** Where something waits, by the read models; those are behind at times, so the datastore itself has the last word. */
const candidates = async ({ db, now }: WindowClock, { column }: WaitsForWindow): Promise<readonly string[]> => {
  const rows = await db
    .selectFrom('datastores')
    .select(['datastore_id', 'maintenance'])
    .where(column, 'is not', null)
    .where('status', '=', 'STARTED')
    .orderBy('datastore_id')
    .execute()
  const at = now()
  return rows.flatMap(({ datastore_id, maintenance: { day_of_week: dayOfWeek, start_hour: startHour, end_hour: endHour } }) =>
    openWindow({ dayOfWeek, startHour, endHour }, at) === undefined ? [] : [datastore_id],
  )
}

type Asking = { readonly windowId: string; readonly state: Known; readonly at: string }

/** What has not been asked for in this window. Its ids derive from the datastore, its window and the subject. */
const nextOf = ({ wanted }: WaitsForWindow, { windowId, state, at }: Asking) => {
  const { datastoreId, jobsSeen } = state
  const fresh = (subject: string, count: number) => nodesOf(derivedId('nodes in a window', windowId, subject), count)
  for (const { subject, change } of wanted(state, fresh)) {
    const commandId = derivedId('in a window', windowId, subject)
    const jobId = derivedId('job', commandId)
    if (!jobsSeen.has(jobId)) return { commandId, data: { datastoreId, jobId, change, now: at } }
  }
  return undefined
}

/**
 * Asks for all that waits for the window of one datastore, as long as that is open. Safe to repeat, and to be cut off.
 *
 * @returns how many jobs were taken
 * @throws Refused where a job is not taken: by the datastore, or because admission is stopped
 */
const beginFor = async (clock: WindowClock, waiting: WaitsForWindow, datastoreId: string): Promise<number> => {
  const { store, send, now, signal, log } = clock
  for (let taken = 0; ; taken++) {
    const { state } = await knownDatastore({ store }, datastoreId, undefined)
    const at = now()
    const window = openWindow(state.spec.maintenance, at)
    if (signal.aborted || window === undefined) return taken
    const windowId = derivedId('window', waiting.name, datastoreId, window.from)
    const next = nextOf(waiting, { windowId, state, at })
    if (next === undefined) return taken
    const { commandId, data } = next
    const { ownerId: organisationId } = state.spec
    const cause = { commandId, correlationId: windowId, causationId: windowId, actor: ACTOR, organisationId }
    const outcome = await send({ type: 'ChangeDatastore', data }, cause)
    if ('rejection' in outcome) throw new Refused(outcome.rejection)
    // Someone else has changed the datastore meanwhile, so that nothing is left to do.
    if (outcome.events.length === 0) return taken
    log.info({ datastoreId, jobId: data.jobId, waiting: waiting.name, window: window.from }, 'begun in the maintenance window')
  }
}

/**
 * Looks once at all datastores whose window is open, one after the other; one that cannot be helped keeps no other waiting.
 *
 * @param told what was logged of a datastore, so that the same is not logged at every look
 */
export const beginInWindows = async (clock: WindowClock, told: Map<string, string>): Promise<void> => {
  const { signal, pauseMs, log } = clock
  for (const waiting of inWindow) {
    for (const datastoreId of await candidates(clock, waiting)) {
      if (signal.aborted) return
      try {
        const taken = await beginFor(clock, waiting, datastoreId)
        told.delete(datastoreId)
        if (taken > 0) await rest(pauseMs, signal)
      } catch (err) {
        if (signal.aborted) return
        if (!(err instanceof Refused)) {
          log.warn({ err, datastoreId, waiting: waiting.name }, 'what waits for the maintenance window could not be begun')
        } else if (told.get(datastoreId) !== err.message) {
          told.set(datastoreId, err.message)
          log.info({ datastoreId, waiting: waiting.name, because: err.message }, 'not begun in the maintenance window')
        }
      }
    }
  }
}

/** Begins what waits for maintenance windows when they open, until `signal`. One clock is at work at a time. */
export const windowClock = (options: WindowClock): Promise<void> => {
  const { pool, signal, log, intervalMs } = options
  const sole = {
    pool, lock: 'ccx maintenance windows', askEveryMs: LOCK_ASK_EVERY_MS, signal, log,
    waiting: 'another one minds the maintenance windows; waiting for its place',
  }
  return inSessions({ signal, log, trouble: 'maintenance windows are not minded; beginning again' }, (onSound) =>
    aloneAtWork(sole, async (_, until) => {
      const told = new Map<string, string>()
      while (!until.aborted) {
        await beginInWindows({ ...options, signal: until }, told)
        onSound()
        await rest(intervalMs, until)
      }
    }),
  )
}
