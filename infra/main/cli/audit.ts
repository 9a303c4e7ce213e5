import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { accountIdOf } from '../../../command-handlers/ids.ts'
import { INSTALLATION } from '../../../domain/audit/chain.ts'
import type { Verdict } from '../../../domain/audit/export.ts'
import { auditMigrations } from '../../../projections/audit-migrations.ts'
import { AUDIT_SCHEMA } from '../../../projections/audit-schema.ts'
import { filterQuery } from '../../../read-api/audit/asked.ts'
import { exportOf } from '../../../read-api/audit/export.ts'
import { type AuditQueries, auditDb } from '../../../read-api/audit/index.ts'
import { checkpointsOf, keysOf } from '../../../read-api/audit/rows.ts'
import { auditPosition } from '../../audit/position.ts'
import { linesOf, readCheckpoint, readPublicKeys, verifyLines } from '../../audit/read-export.ts'
import { sha256 } from '../../audit/sha256.ts'
import { migrateToLatest } from '../../read-store/migrate.ts'
import { onStores } from './stores.ts'
import { type Command, parseOptions, UsageError } from './usage.ts'

const CHECKPOINTS_SHOWN = 20
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const text = { type: 'string' } as const
const FILTERS = { actor: text, client: text, type: text, object: text, datastore: text, from: text, to: text }
const OPTIONS = {
  state: text, key: text, keys: text, checkpoint: text, organisation: text, format: text, out: text, ...FILTERS,
} as const

/** What can be asked with these words. */
type Values = { readonly [option in keyof typeof OPTIONS]?: string | undefined }

/** Whose trail, by id or by login. */
const organisationOf = (asked: string | undefined): string => {
  if (asked === undefined) return INSTALLATION
  return asked === INSTALLATION || ID.test(asked) ? asked : accountIdOf(asked)
}

/** Works on the trail of an instance that is up. */
const onTrail = (values: Values, work: (queries: AuditQueries) => Promise<void>): Promise<void> =>
  onStores(values.state, async ({ db, pool, personal }) => {
    await migrateToLatest(db, { schema: AUDIT_SCHEMA, migrations: auditMigrations })
    await work({ db: auditDb(db), personal, sha256, waitFor: auditPosition(pool) })
  })

const exporting = async (values: Values): Promise<void> => {
  const { format = 'json', out } = values
  if (format !== 'json' && format !== 'csv') throw new UsageError('--format wants json or csv')
  const given = Object.keys(FILTERS).flatMap((name) => Object.entries(values).filter(([key]) => key === name))
  const filter = filterQuery.safeParse(Object.fromEntries(given))
  if (!filter.success) throw new UsageError(`--${String(filter.error.issues[0]?.path[0])} does not have its form`)
  const organisation = organisationOf(values.organisation)
  await onTrail(values, async (queries) => {
    const principal = { isAdmin: true, ownerId: organisation }
    const signal = { aborted: false }
    const { chunks } = await exportOf({ ...queries, organisation, filter: filter.data, principal, signal }, format)
    if (out === undefined) await pipeline(Readable.from(chunks), process.stdout, { end: false })
    else await pipeline(Readable.from(chunks), createWriteStream(out, { mode: 0o600 }))
  })
}

const showKeys = (values: Values): Promise<void> =>
  onTrail(values, async ({ db }) => {
    for (const { key_id, public_key, introduced_at } of await keysOf(db)) {
      console.log(`# ${key_id}, since ${introduced_at}\n${public_key.trimEnd()}`)
    }
  })

const showCheckpoints = (values: Values): Promise<void> =>
  onTrail(values, async ({ db }) => {
    const organisation = organisationOf(values.organisation)
    for (const checkpoint of await checkpointsOf(db, organisation, { limit: CHECKPOINTS_SHOWN })) {
      console.log(JSON.stringify(checkpoint))
    }
  })

const told = (file: string, verdict: Verdict): readonly string[] => {
  if (!verdict.sound) return [`${file} is not what was signed: ${verdict.because}.`]
  const { organisation, complete, entries, checkpoints, size } = verdict
  return complete
    ? [`${file} is what was signed: ${entries} entries of ${organisation}, under ${checkpoints} checkpoints.`]
    : [
        `${file} holds what was signed: ${entries} entries of ${organisation}, in the checkpoint of ${size} entries.`,
        'It is filtered: that no entry was left out cannot be seen from it.',
      ]
}

/** @returns the exit code */
const verifying = async (file: string, { key, keys, checkpoint }: Values): Promise<number> => {
  const named = key ?? keys
  if (named === undefined) throw new UsageError('audit verify wants --key PUBLIC_KEY_FILE, or --keys FILE')
  const publicKeys = readPublicKeys(await readFile(named, 'utf8'))
  const kept = checkpoint === undefined ? undefined : readCheckpoint(await readFile(checkpoint, 'utf8'))
  const verdict = await verifyLines(linesOf(file), { publicKeys, kept })
  for (const line of told(file, verdict)) console.log(line)
  return verdict.sound ? 0 : 1
}

/** Exports the audit trail, shows its keys and checkpoints, and verifies an export, which needs nothing but the file. */
export const audit: Command = async (args) => {
  const { values, positionals } = parseOptions(args, { options: OPTIONS, allowPositionals: true })
  const [verb, file, ...rest] = positionals
  if (verb === 'verify' && file !== undefined && rest.length === 0) return verifying(file, values)
  if (file !== undefined) throw new UsageError(`audit ${verb} does not understand ${file}`)
  if (verb === 'export') await exporting(values)
  else if (verb === 'keys') await showKeys(values)
  else if (verb === 'checkpoints') await showCheckpoints(values)
  else throw new UsageError('audit wants: verify FILE, export, keys, or checkpoints')
  return 0
}
