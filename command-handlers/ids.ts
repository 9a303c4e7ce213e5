import { v5, v7 } from 'uuid'

/** The namespace of every name-based id that is made here (RFC 9562, section 5.5). */
const NAMESPACE = '5b1c6d0e-6a53-4d0b-9f7e-2c40c9a8d1e7'

/**
 * The same id for the same parts, for ever: what follows from one cause is recognised when it is done again.
 *
 * @param parts what the id stands for, most general first; `['a', 'b']` and `['a,b']` differ
 */
export const derivedId = (...parts: readonly string[]): string => v5(JSON.stringify(parts), NAMESPACE)

/** An id that has never been; such ids sort by the time they were made (RFC 9562, section 5.7). */
export const freshId = (): string => v7()

/**
 * The id of the `n`th event that a command leads to.
 *
 * @param commandId a UUID
 * @param n from 0
 */
export const eventId = (commandId: string, n: number): string => v5(String(n), commandId)

/** Whose stream and whose id a login is. Logins differ by more than case. */
export const accountIdOf = (login: string): string =>
  derivedId('account', login.trim().normalize('NFC').toLowerCase())

const NAME_LENGTH = 5

/**
 * Ids and names for the nodes of a datastore: `db-` and five characters of base 36. No two names are the same.
 *
 * @param commandId what asked for the nodes
 * @param count how many
 */
export const nodesOf = (
  commandId: string,
  count: number,
): readonly { readonly nodeId: string; readonly name: string }[] => {
  const names = new Set<string>()
  for (let n = 0; names.size < count; n++) names.add(`db-${label(derivedId('node name', commandId, String(n)))}`)
  return [...names].map((name, n) => ({ nodeId: derivedId('node', commandId, String(n)), name }))
}

/** The last digits carry no version bits, so all of them vary. */
const label = (id: string): string =>
  (BigInt(`0x${id.slice(-12)}`) % 36n ** BigInt(NAME_LENGTH)).toString(36).padStart(NAME_LENGTH, '0')
