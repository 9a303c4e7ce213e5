import { describedBy, isMetadataStream, type StreamAcl } from '../stream-metadata.ts'
import { ADMINS, EVERYONE } from './principal.ts'

/** The defaults of the whole store: for ordinary streams, and for those whose names begin with `$`. */
export type DefaultAcls = { readonly userStreams: StreamAcl; readonly systemStreams: StreamAcl }

/** What may be done to a stream; reading and writing `$$stream` is reading and writing the metadata of `stream`. */
export type Action = 'read' | 'write' | 'delete'

/** Who has every right where neither the stream nor `$settings` says anything, as in EventStoreDB. */
const BUILT_IN = { userStreams: EVERYONE, systemStreams: ADMINS } as const

const ROLES: Readonly<Record<Action | 'metaRead' | 'metaWrite', keyof StreamAcl>> = {
  read: 'readRoles',
  write: 'writeRoles',
  delete: 'deleteRoles',
  metaRead: 'metaReadRoles',
  metaWrite: 'metaWriteRoles',
}

/**
 * Which right on which stream an action needs, or undefined for what nobody may: `$all` cannot be written and metadata
 * not be deleted.
 */
export const rightFor = (
  action: Action,
  stream: string,
): { readonly stream: string; readonly right: keyof StreamAcl } | undefined => {
  if (!isMetadataStream(stream)) return stream === '$all' && action !== 'read' ? undefined : { stream, right: ROLES[action] }
  if (action === 'delete') return undefined
  return { stream: describedBy(stream), right: ROLES[action === 'read' ? 'metaRead' : 'metaWrite'] }
}

/**
 * The logins and groups that have a right on a stream: what the stream says, else what `$settings` says, else what is
 * built in; each right by itself.
 */
export const rolesFor = (
  right: keyof StreamAcl,
  stream: string,
  { own, defaults }: { readonly own: StreamAcl | undefined; readonly defaults: Partial<DefaultAcls> },
): readonly string[] => {
  const kind = stream.startsWith('$') ? 'systemStreams' : 'userStreams'
  return own?.[right] ?? defaults[kind]?.[right] ?? [BUILT_IN[kind]]
}
