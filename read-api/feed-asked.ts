import { z } from 'zod'
import { placeOf } from '../projections/feed-position.ts'
import { contract } from '../projections/public-events/contract.ts'

const NAMES_MAX = 50
const TYPES = Object.keys(contract)

const names = z
  .string()
  .max(4_000)
  .transform((text) => text.split(',').map((name) => name.trim()))
  .pipe(z.array(z.string().min(1)).max(NAMES_MAX))

const isKnownType = (type: string): boolean =>
  type.endsWith('*') ? TYPES.some((known) => known.startsWith(type.slice(0, -1))) : TYPES.includes(type)

/** Types, whole or their beginning and a star, with commas between them. One that there is not is a mistake. */
export const typesAsked = names.refine(
  (types) => types.every(isKnownType),
  'whole types, or the beginning of one and a star, of those in the AsyncAPI document',
)

/** Subjects, with commas between them. */
export const subjectsAsked = names

/** Where to go on from. */
export const cursorAsked = z
  .string()
  .max(50)
  .refine((text) => text === 'now' || placeOf(text) !== undefined, 'a cursor of an earlier answer, `start` or `now`')
