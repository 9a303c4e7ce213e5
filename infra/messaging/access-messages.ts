import { z } from 'zod'
import { PRIVILEGES } from '../../domain/datastore/access.ts'
import { isSealed, type Sealed } from '../../domain/kernel/sealed.ts'

const id = z.string().min(1)

/** A name that somebody chose: never in the open on its way. */
const name = z.custom<Sealed>((text) => typeof text === 'string' && isSealed(text), 'must be sealed')

const database = z.object({ name, owner: z.union([name, z.object({ administrator: id })]), mark: id })

const user = z.object({
  name,
  second: name,
  as: id.nullable(),
  administrator: id,
  grants: z.array(z.object({ database: name, privilege: z.enum(PRIVILEGES) })),
  logins: z.array(
    z.object({ slot: z.enum(['first', 'second']), vaultId: id, until: z.iso.datetime().nullable() }),
  ),
  mark: id,
})

/**
 * The bodies of the orders about databases and users.
 *
 * @param atNode what every order on a node says
 */
export const accessBodies = <Shape extends z.ZodRawShape>(atNode: z.ZodObject<Shape>) => ({
  'cmon.set-admin': atNode.extend({ username: id, vaultId: id.nullable() }),
  'cmon.put-database': atNode.extend({ database }),
  'cmon.unmake-database': atNode.extend({ database }),
  'cmon.close-database': atNode.extend({ name }),
  'cmon.open-database': atNode.extend({ name }),
  'cmon.drop-database': atNode.extend({ name }),
  'cmon.put-user': atNode.extend({ user }),
  'cmon.unmake-user': atNode.extend({ user }),
  'cmon.drop-user': atNode.extend({ logins: z.array(name).min(1), heir: id }),
})
