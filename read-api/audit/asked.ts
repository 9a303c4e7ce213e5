import { z } from 'zod'
import { type Principal, type Request, Refused } from '../../domain/kernel/endpoint.ts'
import { type Position, parsePosition } from '../../domain/kernel/event-store.ts'

const id = z.string().min(1).max(255)
const instant = z.iso
  .datetime({ offset: true })
  .transform((at) => new Date(at).toISOString())
  .meta({ description: 'RFC 3339' })

/** Which entries are wanted; what is absent lets everything through. */
export const filterQuery = z.object({
  actor: id.exactOptional().meta({ description: 'The account that acted, or `system` parts by their names.' }),
  client: id.exactOptional().meta({ description: 'The OAuth2 client that acted for an account.' }),
  type: id.exactOptional().meta({ description: 'A type of event, such as `DatastoreCreated`.' }),
  object: id.exactOptional().meta({ description: 'The id of what the event is about: a datastore, a job, an account.' }),
  datastore: z.uuid().toLowerCase().exactOptional().meta({ description: 'With its jobs.' }),
  request_id: id.exactOptional().meta({ description: 'The X-Request-Id of the call that asked for it.' }),
  correlation_id: id.exactOptional().meta({ description: 'The same for all that follows from one request.' }),
  from: instant.exactOptional(),
  to: instant.exactOptional().meta({ description: 'RFC 3339; not included' }),
})

export type Filter = z.infer<typeof filterQuery>

export const trailQuery = z.object({
  organisation: id.exactOptional().meta({ description: 'Whose trail, for operators; `installation` for what is no tenant\'s.' }),
})

const LIMIT_MAX = 500
const LIMIT = 50

export const pageQuery = z.object({
  order: z.enum(['newest', 'oldest']).default('newest').meta({ description: 'Which entries come first.' }),
  cursor: z.string().regex(/^\d{1,15}$/).exactOptional().meta({ description: 'From the answer before, to go on there.' }),
  limit: z.coerce.number().int().min(1).max(LIMIT_MAX).default(LIMIT),
})

/** A number of entries, or the place of one. */
export const count = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

/**
 * Whose trail is meant.
 *
 * @throws Refused `forbidden` when another's is, whether there is one or not, and it is no operator who asks
 */
export const trailOf = ({ isAdmin, ownerId }: Principal, asked: string | undefined): string => {
  if (asked === undefined || asked === ownerId) return ownerId
  if (isAdmin) return asked
  throw new Refused({ rejected: 'forbidden', because: 'only an operator may name an organisation' })
}

const WAIT_MS = 5_000

/** Waits until the trail has what the caller has seen already, so that he finds it there; within a limit. */
export const settled = async (
  { header }: Pick<Request<unknown, unknown, unknown>, 'header'>,
  waitFor: (position: Position, withinMs: number) => Promise<boolean>,
): Promise<void> => {
  const position = parsePosition(header('CCX-Position') ?? '')
  if (position !== undefined) await waitFor(position, WAIT_MS)
}
