import type { EventStore } from '../../domain/kernel/event-store.ts'
import type { HistoryQueries } from '../../read-api/history/past.ts'
import type { AuditSchema } from '../../projections/audit-schema.ts'
import type { RunningAudit } from './audit.ts'
import { noon } from './examples.ts'
import type { emptyReadStore } from './read-store.ts'

/** What is needed to look into the past of a store, with its audit trail at work. */
export const pastIn = (
  store: Pick<EventStore, 'head'>,
  { db }: Pick<Awaited<ReturnType<typeof emptyReadStore>>, 'db'>,
  { waitFor }: Pick<RunningAudit, 'waitFor'>,
  now: () => string = () => noon,
): HistoryQueries => ({ audit: db.withTables<AuditSchema>(), head: store.head, waitFor, now })
