import type { PoolClient } from 'pg'
import { type Delivery, type EventStore, type Position, type Recorded, isAfter } from '../../domain/kernel/event-store.ts'
import { PREFIXES, isKnown } from '../../projections/known-event.ts'
import type { Projection } from '../../projections/projection.ts'
import { READ_SCHEMA, type ReadSchema } from '../../projections/schema.ts'
import { keepCheckpoints, lowest, moveCheckpoints, readCheckpoints } from './checkpoints.ts'
import type { ReadStore } from './connect.ts'
import type { Filled } from './fill.ts'
import { foldInto, inTransaction } from './fold.ts'
import { lockKey, tryRole } from './locks.ts'
import { inSessions, rest } from './sessions.ts'
import { type Stale, renewStale } from './stale.ts'
import { ensureTables } from './tables.ts'

const BATCH_MAX = 4_000
const LOCK_ASK_EVERY_MS = 250
const TELL_EVERY_MS = 5_000

type Line = (fields: object, message: string) => void

export type ProjectorOptions = {
  readonly store: Pick<EventStore, 'readAll' | 'subscribe'>
  readonly readStore: Pick<ReadStore<ReadSchema>, 'pool'>
  readonly projections: readonly Projection[]
  /** Ends the projector; the batch at hand is finished first. */
  readonly signal: AbortSignal
  readonly log: { readonly info: Line; readonly warn: Line }
  /** Events in one transaction at most; default 4,000. */
  readonly batchMax?: number
  readonly schema?: string
  /** Told after each commit how far all read models have come, and the last event that it took in, if any. */
  readonly onAdvanced?: (position: Position, last: Pick<Recorded, 'recordedAt'> | undefined) => void
  /**
   * Told whenever the read models have everything that was in the log when the following began; or this one stands by,
   * with all that is needed to take the place of the one at work.
   */
  readonly onCaughtUp?: () => void
  /** Told why the read models are not up to date, when it begins and begins again. */
  readonly onUnready?: (because: string) => void
}

type Session = ProjectorOptions & { readonly client: PoolClient; readonly schema: string }

/**
 * Keeps the read models up with the log, until `signal`. Rows and checkpoints move in one transaction, on the very
 * connection that holds the lock of the one writer: who has lost the lock can write nothing any more. A second
 * projector waits.
 * What breaks is begun again from the checkpoints.
 */
export const projector = (options: ProjectorOptions): Promise<void> => {
  const { signal, log } = options
  return inSessions({ signal, log, trouble: 'the read models are not kept up; beginning again' }, (onSound) =>
    session({
      ...options,
      onAdvanced: (position, last) => {
        onSound()
        options.onAdvanced?.(position, last)
      },
    }),
  )
}

const session = async (options: ProjectorOptions): Promise<void> => {
  const { readStore, projections, schema = READ_SCHEMA, onUnready } = options
  onUnready?.('the read models are being brought up to date')
  await ensureTables(readStore.pool, { schema, projections })
  const lost = new AbortController()
  const signal = AbortSignal.any([options.signal, lost.signal])
  const connected = async (): Promise<PoolClient> => {
    const client = await readStore.pool.connect()
    client.on('error', (error) => lost.abort(error))
    return client
  }
  const client = await connected()
  try {
    const own: Session = { ...options, signal, client, schema }
    const progress = await begin(own, connected)
    if (!signal.aborted) await follow(own, progress)
    lost.signal.throwIfAborted()
  } finally {
    // Ends the connection, and with it the lock.
    client.release(true)
  }
}

type Progress = Map<Projection, Position | 'start'>

/**
 * Where each projection stands. Those that are new or of another version are made anew first, beside the tables that a
 * projector of another release may be at work on; they take their place when this one has become the only projector.
 */
const begin = async (own: Session, connected: () => Promise<PoolClient>): Promise<Progress> => {
  const { client, schema, projections, store, signal, log } = own
  const builder = await connected()
  try {
    const onProgress = telling(own)
    const stale = await renewStale({ client: builder, store, schema, projections, signal, onProgress })
    await becomeOnly(own, stale)
    if (signal.aborted) return new Map()
    if (stale !== undefined) {
      await stale.takeOver()
      log.info({ projections: stale.projections.map(({ name }) => name) }, 'read models were made anew from the log')
    }
  } finally {
    builder.release(true)
  }
  await keepCheckpoints(client, schema, projections.map(({ name }) => name))
  const known = await readCheckpoints(client, schema)
  return new Map(projections.map((it) => [it, known.get(it.name)?.position ?? 'start']))
}

/** Says now and then how far the tables that are being made have come. */
const telling = ({ log, onUnready }: Session): ((filled: Filled) => void) => {
  const began = performance.now()
  let told = began
  return ({ events }) => {
    const now = performance.now()
    if (now - told < TELL_EVERY_MS) return
    told = now
    const perSecond = Math.round((events / (now - began)) * 1_000)
    log.info({ events, perSecond }, 'read models are being made anew from the log')
    onUnready?.(`read models are being made anew: ${events} events taken in, ${perSecond} a second`)
  }
}

/** Waits for the place of the one projector, keeping up with the log what is to be swapped in then. */
const becomeOnly = async (
  { client, schema, signal, log, onCaughtUp }: Session,
  stale: Stale | undefined,
): Promise<void> => {
  for (let told = false; !signal.aborted; told = true) {
    if (await tryRole(client, 'projector', schema)) return
    await stale?.approach()
    // Standing by is being ready: or a new release would wait for the old one's end, and that for the new one's start.
    if (!told) {
      log.info({}, 'another projector is at work; waiting for its place')
      onCaughtUp?.()
    }
    await rest(LOCK_ASK_EVERY_MS, signal)
  }
}

const follow = async (own: Session, progress: Progress): Promise<void> => {
  const { store, signal, batchMax = BATCH_MAX, onCaughtUp } = own
  const after = lowest(progress.values())
  for await (const delivery of store.subscribe({ after, prefixes: PREFIXES, signal, batchMax })) {
    if (signal.aborted) return
    await take(own, progress, delivery)
    if (delivery.caughtUp) onCaughtUp?.()
  }
}

const take = async (
  { client, schema, onAdvanced }: Session,
  progress: Progress,
  { events, position }: Delivery,
): Promise<void> => {
  const behind = [...progress].filter(([, at]) => isAfter(position, at))
  if (behind.length === 0) return
  const known = events.filter(isKnown)
  const after = new Map(progress)
  for (const [projection] of behind) after.set(projection, position)
  const reached = lowest(after.values())
  await inTransaction(client, async () => {
    for (const [projection, at] of behind) {
      await foldInto(client, schema, projection, known.filter((event) => isAfter(event.position, at)))
    }
    await moveCheckpoints(client, schema, { projections: behind.map(([projection]) => projection), position, reached })
  }, `select pg_advisory_xact_lock_shared(${lockKey('swap', schema)})`)
  for (const [projection, at] of after) progress.set(projection, at)
  if (reached !== 'start') onAdvanced?.(reached, events.at(-1))
}
