import { EventStoreDBClient } from '@eventstore/db-client'

/** What the client understands, in lower case; it compares names without case, `-` and `_`. */
const OPTIONS: ReadonlySet<string> = new Set([
  'connectionname', 'defaultdeadline', 'discoveryinterval', 'gossiptimeout', 'keepaliveinterval', 'keepalivetimeout',
  'maxdiscoverattempts', 'nodepreference', 'throwonappendfailure', 'tls', 'tlscafile', 'usercertfile', 'userkeyfile',
])

/**
 * The official client on a connection string.
 *
 * @throws when the string cannot be read, or the file of an authority that it names; the error does not hold the string,
 *   which has a password in it
 */
export const esdbClient = (connectionString: string): EventStoreDBClient => {
  const [, query = ''] = connectionString.split('?')
  for (const name of new URLSearchParams(query).keys()) {
    if (OPTIONS.has(name.toLowerCase().replaceAll(/[-_]/g, ''))) continue
    // The client would do without it, but print the whole string in a warning.
    throw new Error(`the connection string of the event store has an option that is not supported: ${name}`)
  }
  try {
    return EventStoreDBClient.connectionString(connectionString)
  } catch (cause) {
    throw failureOf(cause)
  }
}

/** What the client says of a string that it cannot read repeats the string, so it is not told on. */
const failureOf = (cause: unknown): Error =>
  cause instanceof Error && 'connectionString' in cause
    ? new Error('the connection string of the event store is malformed')
    : new Error('the event store cannot be connected to', { cause })
