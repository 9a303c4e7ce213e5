import pg from 'pg'
import type { EventStore, Position } from '../../domain/kernel/event-store.ts'
import { connect } from '../../infra/read-store/connect.ts'
import { type ProjectorOptions, projector } from '../../infra/read-store/projector.ts'
import { ensureTables } from '../../infra/read-store/tables.ts'
import { projections } from '../../projections/index.ts'
import { READ_SCHEMA, type ReadSchema } from '../../projections/schema.ts'

/** A database of its own on a running server, with empty read models. */
export const emptyReadStore = async (serverUrl: string, database: string) => {
  const admin = new pg.Client({ connectionString: serverUrl })
  await admin.connect()
  await admin.query(`create database ${pg.escapeIdentifier(database)}`)
  await admin.end()
  const url = new URL(serverUrl)
  url.pathname = `/${database}`
  const readStore = connect<ReadSchema>(url.href)
  await ensureTables(readStore.pool, { schema: READ_SCHEMA, projections })
  return { ...readStore, url: url.href }
}

export type RunningProjector = {
  /** Resolves once everything that was in the log at the start is in the read models. */
  readonly caughtUp: Promise<void>
  readonly advances: () => readonly Position[]
  readonly complaints: () => readonly string[]
  readonly stop: () => Promise<void>
}

/** A projector at work, and what can be seen of it. */
export const startProjector = (
  store: EventStore,
  readStore: ProjectorOptions['readStore'],
  more: Partial<ProjectorOptions> = {},
): RunningProjector => {
  const stopping = new AbortController()
  const caughtUp = Promise.withResolvers<void>()
  const advances: Position[] = []
  const complaints: string[] = []
  const ended = projector({
    store,
    readStore,
    projections,
    signal: stopping.signal,
    log: { info: () => undefined, warn: (_, message) => complaints.push(message) },
    onAdvanced: (position) => advances.push(position),
    onCaughtUp: caughtUp.resolve,
    ...more,
  })
  return {
    caughtUp: caughtUp.promise,
    advances: () => advances,
    complaints: () => complaints,
    stop: async () => {
      stopping.abort()
      await ended
    },
  }
}
