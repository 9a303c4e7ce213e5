import type { ColumnType } from 'kysely'

/** The driver reads a timestamptz as a Date, and a bigint as text. */
type Time = ColumnType<Date, string, string>
type Count = ColumnType<string, number | string, number | string>

/** One event of the log, as its organisation's audit trail has it. */
export type AuditEntryRow = {
  readonly organisation_id: string
  /** From 0, without gap: the place in the organisation's chain, and the index of the leaf in its tree. */
  readonly n: Count
  /** Where it is in the log, as text that sorts (`sortablePosition`). */
  readonly position: string
  readonly event_id: string
  /** When the log took it. */
  readonly at: Time
  readonly type: string
  readonly stream: string
  readonly revision: Count
  /** What the stream is about: its name up to the first dash, and the rest. */
  readonly object_kind: string
  readonly object_id: string
  readonly datastore_id: string | null
  readonly actor_kind: string
  readonly actor_id: string
  readonly client_id: string | null
  readonly role: string | null
  readonly command_type: string | null
  readonly command_id: string
  readonly correlation_id: string
  readonly causation_id: string
  readonly request_id: string | null
  /** Canonical JSON (RFC 8785): the very text that the leaf's hash is of. */
  readonly event: string
  readonly leaf_hash: Uint8Array
  readonly chain_hash: Uint8Array
}

/** The root of every complete subtree of 256, 65,536 and 16,777,216 leaves, so that no proof reads all of them. */
export type AuditNodeRow = {
  readonly organisation_id: string
  readonly level: number
  readonly index: Count
  readonly hash: Uint8Array
}

/** Where a chain stands. `frontier` is the roots of the tree's complete subtrees, widest first, one after the other. */
export type AuditChainRow = {
  readonly organisation_id: string
  readonly size: Count
  readonly chain_hash: Uint8Array
  readonly frontier: Uint8Array
  /** Of its last entry, as `commit/prepare`. */
  readonly position: string
}

/** A signed tree head, as it was read back from the log. */
export type AuditCheckpointRow = {
  readonly organisation_id: string
  readonly size: Count
  readonly root_hash: Uint8Array
  readonly chain_hash: Uint8Array
  /** Of the last entry that it covers, as `commit/prepare`. */
  readonly position: string
  readonly at: Time
  readonly key_id: string
  readonly signature: Uint8Array
  /** Where in the log the checkpoint itself is, as text that sorts. */
  readonly logged_position: string
}

/** A public key that checkpoints are or were signed with. */
export type AuditKeyRow = {
  readonly key_id: string
  /** Ed25519, SPKI in PEM. */
  readonly public_key: string
  readonly introduced_at: Time
}

/** How far the audit trail has taken the log in; one row. */
export type AuditProgressRow = {
  readonly single: ColumnType<boolean, never, never>
  readonly position_commit: string
  readonly position_prepare: string
}

/** The audit trail as the database has it, for Kysely: `db.withTables<AuditSchema>()`. */
export type AuditSchema = {
  'audit.entries': AuditEntryRow
  'audit.nodes': AuditNodeRow
  'audit.chains': AuditChainRow
  'audit.checkpoints': AuditCheckpointRow
  'audit.keys': AuditKeyRow
  'audit.progress': AuditProgressRow
}

export const AUDIT_SCHEMA = 'audit'
