/** All limits of the watch over a datastore. What an installation may set otherwise is a default here. */
export const LIMITS = {
  /** From the beginning of one look at a node to that of the next. */
  intervalMs: 1_000,
  /** How long a node may take to answer a look. */
  lookTimeoutMs: 1_000,
  /** Looks in a row without an answer, after which a node counts as silent. */
  missesMax: 2,
  /** How soon a server that was found dead is looked at again. */
  againLookMs: 250,
  /** How long a dead server is given to come back where it is. */
  inPlaceMs: 3_000,
  /** How long after an attempt to start a dead server the next one follows. */
  restartAgainMs: 10_000,
  /** So many deaths within so long, and a server is no longer brought back where it is. */
  deathsMax: 3,
  deathsWithinMs: 60_000,
  /** How long a machine may be silent before that is told. */
  silentAfterMs: 10_000,
  /** How long a fenced node whose machine answers is left alone. */
  backAfterMs: 2_000,
  /** How long a replica may be apart from its primary. Jobs move replicas about, and need that long. */
  apartAfterMs: 10_000,
  /** How soon a thing is told again while it lasts: what followed from the last time may have come to nothing. */
  tellAgainMs: { 'primary-unreachable': 5_000, 'node-silent': 15_000, 'node-back': 5_000, 'node-well': 5_000 },
} as const
