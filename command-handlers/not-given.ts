import { z } from 'zod'

/**
 * One client sends every member of a request, with "", 0 or null for what it does not mean; another leaves it out. All
 * of that is "not given" here. Other types are refused.
 */
export const textOrNone = (lengthMax: number) =>
  z.string().max(lengthMax).nullish().transform((text) => (text === null || text === '' ? undefined : text))

/** A whole number from 1, or not given. */
export const countOrNone = () =>
  z.int().min(0).nullish().transform((count) => (count === null || count === 0 ? undefined : count))

/** A list, empty when not given. */
export const listOrNone = <T extends z.ZodType>(item: T, lengthMax: number) =>
  z.array(item).max(lengthMax).nullish().transform((items) => items ?? [])

/** A truth value, false when not given. */
export const flagOrNone = () => z.boolean().nullish().transform((flag) => flag ?? false)
