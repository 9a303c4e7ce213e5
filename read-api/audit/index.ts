import type { Kysely } from 'kysely'
import type { Sha256 } from '../../domain/audit/chain.ts'
import type { Endpoint } from '../../domain/kernel/endpoint.ts'
import type { Position } from '../../domain/kernel/event-store.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import type { AuditSchema } from '../../projections/audit-schema.ts'
import { READ_SCHEMA, type ReadSchema } from '../../projections/schema.ts'
import { exported } from './export.ts'
import { list, listOfDatastore } from './list.ts'
import { checkpoints, consistency, inclusion, keys } from './proofs.ts'
import type { AuditDb } from './rows.ts'

export type AuditQueries = {
  readonly db: AuditDb
  readonly personal: Pick<PersonalData, 'open'>
  readonly sha256: Sha256
  /** Resolves once the trail has the position, or when the time has run out; whether it has. */
  readonly waitFor: (position: Position, withinMs: number) => Promise<boolean>
}

/** The database as the audit's queries want it. */
export const auditDb = (db: Kysely<ReadSchema>): AuditDb => db.withTables<AuditSchema>().withSchema(READ_SCHEMA)

/** The queries of the audit trail: everyone's own, and any for an operator who names it. */
export const auditApi = (queries: AuditQueries): readonly Endpoint[] => [
  list(queries),
  listOfDatastore(queries),
  exported(queries),
  checkpoints(queries),
  inclusion(queries),
  consistency(queries),
  keys(queries),
]
