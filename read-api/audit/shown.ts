import { z } from 'zod'
import { hexOf } from '../../domain/audit/export.ts'
import type { Principal } from '../../domain/kernel/endpoint.ts'
import type { JsonValue } from '../../domain/kernel/json.ts'
import { type PersonalData, isSealed } from '../../domain/kernel/sealed.ts'
import type { AuditDb, EntryRow } from './rows.ts'

export type Viewer = {
  readonly db: AuditDb
  readonly open: PersonalData['open']
  readonly principal: Pick<Principal, 'isAdmin' | 'ownerId'>
}

const Entry = z.object({ position: z.string() }).catchall(z.json())

/** An entry, and what of it the viewer may read that the trail itself holds sealed. */
export type Shown = {
  readonly row: EntryRow
  /** What the leaf is the hash of, as a value. */
  readonly entry: z.infer<typeof Entry>
  readonly login: string | null
  /** Opened texts by JSON Pointer (RFC 6901) into the entry. */
  readonly opened: Readonly<Record<string, string>>
}

type Token = { readonly pointer: string; readonly text: string }

const tokensIn = (value: JsonValue, pointer: string): readonly Token[] => {
  if (typeof value === 'string') return isSealed(value) ? [{ pointer, text: value }] : []
  if (value === null || typeof value !== 'object') return []
  return Object.entries(value).flatMap(([name, member]) =>
    tokensIn(member, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`),
  )
}

const ADDRESS = '/metadata/actor/address'

/** Whether the viewer may know who that is: himself, or anyone for an operator. Another's address is not his to read. */
const maySee = ({ isAdmin, ownerId }: Viewer['principal'], { actor_kind, actor_id }: EntryRow): boolean =>
  isAdmin || (actor_kind !== 'system' && actor_id === ownerId)

/** Puts beside each entry what its viewer may read; the entries themselves stay as they were hashed. */
export const shown = async ({ db, open, principal }: Viewer, rows: readonly EntryRow[]): Promise<readonly Shown[]> => {
  const entries = rows.map((row) => {
    const entry = Entry.parse(JSON.parse(row.event))
    const tokens = tokensIn(entry, '').filter(({ pointer }) => pointer !== ADDRESS || maySee(principal, row))
    return { row, entry, tokens }
  })
  const actors = [...new Set(rows.flatMap((row) => (maySee(principal, row) ? [row.actor_id] : [])))]
  const accounts =
    actors.length === 0
      ? []
      : await db.selectFrom('accounts').select(['account_id', 'login']).where('account_id', 'in', actors).execute()
  const sealed = entries.flatMap(({ tokens }) => tokens.map(({ text }) => text))
  const texts = await open([...accounts.map(({ login }) => login), ...sealed])
  const logins = new Map(accounts.map(({ account_id }, n) => [account_id, texts[n] ?? null]))
  let next = accounts.length
  return entries.map(({ row, entry, tokens }) => ({
    row,
    entry,
    login: maySee(principal, row) ? (logins.get(row.actor_id) ?? null) : null,
    opened: Object.fromEntries(tokens.map(({ pointer }) => [pointer, texts[next++] ?? ''])),
  }))
}

const opened = z.record(z.string(), z.string()).meta({
  description: 'What the entry holds sealed, by JSON Pointer into it; no part of what is hashed.',
})

export const entryReply = z.object({
  n: z.int().meta({ description: 'The place in the trail, from 0.' }),
  at: z.iso.datetime(),
  position: z.string().meta({ description: 'The place in the log.' }),
  type: z.string(),
  object_kind: z.string(),
  object_id: z.string(),
  datastore_id: z.string().nullable(),
  actor: z.object({
    kind: z.string(),
    id: z.string(),
    login: z.string().nullable(),
    client_id: z.string().nullable(),
    role: z.string().nullable(),
    address: z.string().nullable(),
  }),
  command: z.string().nullable().meta({ description: 'What was asked for, where the event is the first of its decision.' }),
  command_id: z.string(),
  correlation_id: z.string(),
  causation_id: z.string(),
  request_id: z.string().nullable(),
  entry: z.record(z.string(), z.json()).meta({ description: 'What is hashed, as canonical JSON (RFC 8785).' }),
  leaf_hash: z.string(),
  chain_hash: z.string(),
  opened,
})

export const reply = ({ row, entry, login, opened }: Shown): z.infer<typeof entryReply> => ({
  n: Number(row.n),
  at: row.at.toISOString(),
  position: entry.position,
  type: row.type,
  object_kind: row.object_kind,
  object_id: row.object_id,
  datastore_id: row.datastore_id,
  actor: {
    kind: row.actor_kind,
    id: row.actor_id,
    login,
    client_id: row.client_id,
    role: row.role,
    address: opened[ADDRESS] ?? null,
  },
  command: row.command_type,
  command_id: row.command_id,
  correlation_id: row.correlation_id,
  causation_id: row.causation_id,
  request_id: row.request_id,
  entry,
  leaf_hash: hexOf(row.leaf_hash),
  chain_hash: hexOf(row.chain_hash),
  opened,
})
