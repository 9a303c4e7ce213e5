import { Kysely, PostgresDialect } from 'kysely'
import type { Pool } from 'pg'
import { ERASED, isSealed, type PersonalData } from '../../domain/kernel/sealed.ts'
import { type DataKey, dataKeys, opened } from './data-keys.ts'
import { type Binding, seal } from './envelope.ts'
import type { VaultSchema } from './migrations.ts'

/** How long a key may be used without asking for it again: so long, at most, does a destroyed key go on to open. */
export const KEY_AGE_MS_MAX = 5_000
const KEYS_MAX = 10_000

const FORM = /^sealed:([0-9a-f-]{36}):([A-Za-z0-9_-]+)$/

const bindingOf = (keyId: string): Binding => ['personal data', keyId]

/** What was found lately, for a while; what was not found is asked for each time. */
const lately = <T>(clockMs: () => number) => {
  let young = new Map<string, { readonly value: T; readonly at: number }>()
  return {
    get: (key: string): T | undefined => {
      const found = young.get(key)
      return found !== undefined && clockMs() - found.at < KEY_AGE_MS_MAX ? found.value : undefined
    },
    set: (key: string, value: T): void => {
      if (young.size >= KEYS_MAX) young = new Map()
      young.set(key, { value, at: clockMs() })
    },
  }
}

/**
 * Seals and opens personal data under the data keys of the vault. Keys stay in memory for five seconds, so that a page
 * of rows costs one query; whoever destroys a key waits that long before he says that it is done.
 *
 * @param options.pool the database with the schema `vault`; stays the caller's to close
 * @param options.masterKey 32 bytes
 * @param options.clockMs a clock that never goes back, in milliseconds
 */
export const personalData = ({ pool, masterKey, clockMs = () => performance.now() }: {
  readonly pool: Pool
  readonly masterKey: Buffer
  readonly clockMs?: () => number
}): PersonalData => {
  const keys = dataKeys(new Kysely<VaultSchema>({ dialect: new PostgresDialect({ pool }) }), masterKey)
  const byOwner = lately<DataKey>(clockMs)
  const byId = lately<Buffer>(clockMs)

  const keyOf = async (organisationId: string): Promise<DataKey> => {
    const known = byOwner.get(organisationId)
    if (known !== undefined) return known
    const found = await keys.of(organisationId)
    byOwner.set(organisationId, found)
    byId.set(found.keyId, found.key)
    return found
  }
  const keysOf = async (keyIds: ReadonlySet<string>): Promise<ReadonlyMap<string, Buffer>> => {
    const known = new Map<string, Buffer>()
    for (const keyId of keyIds) {
      const key = byId.get(keyId)
      if (key !== undefined) known.set(keyId, key)
    }
    const asked = await keys.byIds([...keyIds].filter((keyId) => !known.has(keyId)))
    for (const [keyId, key] of asked) byId.set(keyId, key)
    return new Map([...known, ...asked])
  }
  return {
    seal: async (organisationId, text) => {
      const { keyId, key } = await keyOf(organisationId)
      const token = `sealed:${keyId}:${seal(key, Buffer.from(text), bindingOf(keyId)).toString('base64url')}`
      if (!isSealed(token)) throw new Error('BUG: what was sealed does not look so')
      return token
    },
    open: async (texts) => {
      const parts = texts.map((text) => FORM.exec(text))
      const found = await keysOf(new Set(parts.flatMap((part) => (part?.[1] === undefined ? [] : [part[1]]))))
      return texts.map((text, n) => {
        const [, keyId = '', cipher = ''] = parts[n] ?? []
        if (cipher === '') return text
        const key = found.get(keyId)
        if (key === undefined) return ERASED
        return opened('a sealed text', key, Buffer.from(cipher, 'base64url'), bindingOf(keyId)).toString()
      })
    },
  }
}
