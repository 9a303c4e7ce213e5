import type { ClientBase } from 'pg'
import { z } from 'zod'

/**
 * What only one may do at a time with the read models of a schema.
 * `projector`: keep them up with the log. `rebuild`: make tables beside the live ones. `swap`: put a table in another's
 * place; each transaction of the projector holds it in its shared form, so whoever holds it alone finds the live tables
 * at rest.
 */
export type Role = 'projector' | 'rebuild' | 'swap'

/** The key of a role's advisory lock, for SQL; the schema's name is a constant of ours. */
export const lockKey = (role: Role, schema: string): string => `hashtextextended('ccx ${role} ${schema}', 0)`

const Locked = z.tuple([z.object({ locked: z.boolean() })])

/**
 * Takes the role for as long as the connection lasts, or until `releaseRole`.
 *
 * @returns false when another connection has it
 */
export const tryRole = async (client: Pick<ClientBase, 'query'>, role: Role, schema: string): Promise<boolean> => {
  const { rows } = await client.query(`select pg_try_advisory_lock(${lockKey(role, schema)}) as locked`)
  return Locked.parse(rows)[0].locked
}

export const releaseRole = async (client: Pick<ClientBase, 'query'>, role: Role, schema: string): Promise<void> => {
  await client.query(`select pg_advisory_unlock(${lockKey(role, schema)})`)
}

/** Does `work` while the projector does not write; what it wrote before is committed. */
export const whileAtRest = async <T>(client: ClientBase, schema: string, work: () => Promise<T>): Promise<T> => {
  await client.query(`select pg_advisory_lock(${lockKey('swap', schema)})`)
  try {
    return await work()
  } finally {
    // On a connection that is gone the lock is gone too.
    await releaseRole(client, 'swap', schema).catch(() => undefined)
  }
}
