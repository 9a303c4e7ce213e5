import type { PersonalData } from '../../domain/kernel/sealed.ts'
import type { Schema } from '../../domain/kernel/endpoint.ts'

/** A sealed text, wherever it stands in JSON: it has nothing in it that JSON would escape. */
const SEALED = /sealed:[0-9a-z-]+:[A-Za-z0-9_-]+/g

/**
 * The same answer with every personal text in it opened, also those inside of sentences.
 *
 * @param schema what the answer is, before and after
 */
export const withTextsOpen = async <T>({ open }: Pick<PersonalData, 'open'>, schema: Schema<T>, value: T): Promise<T> => {
  const json = JSON.stringify(value)
  const sealed = [...new Set(json.match(SEALED) ?? [])]
  if (sealed.length === 0) return value
  const opened = await open(sealed)
  const texts = new Map(sealed.map((token, n) => [token, JSON.stringify(opened[n] ?? token).slice(1, -1)]))
  return schema.parse(JSON.parse(json.replaceAll(SEALED, (token) => texts.get(token) ?? token)))
}
