import { z } from 'zod'
import type { Privilege } from '../domain/datastore/access.ts'
import { privilegeOf } from '../domain/datastore/access-names.ts'
import { Refused } from '../domain/kernel/endpoint.ts'
import { flagOrNone, textOrNone } from './not-given.ts'

const NAME_LENGTH_MAX = 200
const PASSWORD_LENGTH_MAX = 1_000
const GRANTS_MAX = 100
const GRACE_SECONDS_MAX = 30 * 86_400
const GRACE_SECONDS = 86_400

const name = z.string().max(NAME_LENGTH_MAX)
const host = z
  .enum(['%', ''])
  .nullish()
  .meta({ description: 'Always %: from where anybody comes is the firewall’s.' })
const password = textOrNone(PASSWORD_LENGTH_MAX).meta({ description: 'Default: one is made, and told once.' })
const grace = z.int().min(60).max(GRACE_SECONDS_MAX).nullish().transform((seconds) => seconds ?? GRACE_SECONDS)

/** As the public clients send it; what they say of a plug-in is the server's own affair. */
export const createUserBody = z.object({
  database_username: name,
  database_password: password,
  database_name: textOrNone(NAME_LENGTH_MAX).meta({ description: 'Where he may do something; default: the first database.' }),
  database_privileges: textOrNone(NAME_LENGTH_MAX).meta({ description: 'read, write, ddl or all; default: all.' }),
  database_host: host,
  create_admin_user: flagOrNone(),
  auth_plugin: textOrNone(NAME_LENGTH_MAX),
  own_database: flagOrNone().meta({ description: 'Whether the database is made as well, and is his.' }),
})

export const dropUserBody = z.object({ database_username: name, database_host: host })

export const privilegesBody = z.object({
  database_username: name,
  database_privileges: z
    .array(z.object({ database_name: name, privilege: z.string().max(NAME_LENGTH_MAX) }))
    .max(GRANTS_MAX)
    .meta({ description: 'All that he is to have; what is not here is taken from him.' }),
})

export const passwordBody = z.object({ database_username: name, database_password: password })

export const rotateBody = z.object({
  database_username: name,
  grace_seconds: grace.meta({ description: 'How long the login before holds as well; default a day.' }),
})

export const userBody = z.object({
  user_name: z.string(),
  grants: z.string(),
  host_allow: z.literal('%'),
  auth_plugin: z.string(),
  status: z.enum(['creating', 'created']),
  login_name: z.string().meta({ description: 'The name to log in with.' }),
  database_password: z.string().optional().meta({ description: 'Told this once, where it was made here.' }),
  previous_login_until: z.iso.datetime().nullable(),
})

export const droppedUserBody = z.object({ user_name: z.string(), status: z.enum(['dropping', 'dropped']) })

/** @throws Refused `not-offered` for words that are no privilege */
export const privilegeIn = (text: string, field: string): Privilege => {
  const privilege = privilegeOf(text, field)
  if (typeof privilege !== 'string') throw new Refused(privilege)
  return privilege
}
