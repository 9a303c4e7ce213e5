/** A replica that may be promoted, once it receives nothing more. */
export type Candidate = {
  readonly nodeId: string
  /** How tenants know it. */
  readonly name: string
  readonly zone?: string | undefined
  readonly instance: { readonly cpu: number; readonly ramGb: number }
  /** Counted up with every promotion: of two, the newer holds what the datastore has become. */
  readonly timeline: number
  /** How much log it has received, in bytes. */
  readonly positionBytes: number
}

/** What an election goes by. */
export type Election = {
  readonly candidates: readonly Candidate[]
  /** The names of members that did not answer and may hold what no other does. */
  readonly silent: readonly string[]
  /** The zone of the lost primary, where the applications are likely to be. */
  readonly zone?: string | undefined
  readonly synchronous: boolean
  readonly prefer: 'consistency' | 'availability'
  readonly lagMaxBytes: number
  /** The last position that was seen of the lost primary; null: none was. */
  readonly lastKnownBytes: number | null
  /**
   * What the lost primary had when it was promoted itself; null: it never was, or nobody knows. All that was acknowledged before
   * is in so much, and may be on no member besides but one that was lost earlier and is not asked.
   */
  readonly neededBytes?: number | null | undefined
}

/** `final`: whoever is asked again says the same. */
export type Elected = { readonly elected: Candidate } | { readonly because: string; readonly final?: true }

/**
 * Whom to promote, the best first: whoever has received the most, for each byte less is a byte lost; of those that have the
 * same one in the zone of the lost primary, then the largest machine. Names decide between equals, so that whoever counts
 * comes to the same.
 *
 * @param zone of the lost primary
 */
export const ranked = (candidates: readonly Candidate[], zone?: string): readonly Candidate[] => {
  const isNear = (one: Candidate): number => Number(zone !== undefined && one.zone === zone)
  return candidates.toSorted(
    (a, b) =>
      b.timeline - a.timeline ||
      b.positionBytes - a.positionBytes ||
      isNear(b) - isNear(a) ||
      b.instance.ramGb - a.instance.ramGb ||
      b.instance.cpu - a.instance.cpu ||
      (a.name < b.name ? -1 : 1),
  )
}

/**
 * Whom to promote, or why nobody may be. In synchronous mode an acknowledged transaction is on one replica at least, and it
 * may be on one alone: nobody is promoted before all have been asked, and nobody at all who lacks what the lost primary had
 * when it was promoted, for that may be on it alone, and on those that were lost before. What it wrote since and no replica has
 * was acknowledged to nobody. Otherwise nobody who lacks more than `lagMaxBytes`. Who prefers availability takes the best there
 * is.
 *
 * @returns `because` in words a tenant understands
 */
export const electedOf = (election: Election): Elected => {
  const { candidates, silent, zone, synchronous, prefer, lagMaxBytes, lastKnownBytes, neededBytes } = election
  const [best] = ranked(candidates, zone)
  if (best === undefined) return { because: 'No replica answers that could be promoted.' }
  if (prefer === 'availability') return { elected: best }
  if (synchronous) {
    const lacksBytes = (neededBytes ?? 0) - best.positionBytes
    if (silent.length === 0 && lacksBytes <= 0) return { elected: best }
    if (silent.length === 0) {
      const because = `lacks ${lacksBytes} bytes of what the lost primary had when it was promoted.`
      return { because: `The best replica, ${best.name}, ${because}`, final: true }
    }
    const missing = `${silent.toSorted().join(', ')} ${silent.length === 1 ? 'does' : 'do'} not answer`
    return { because: `${missing}, and may hold a transaction that no other replica has.` }
  }
  const lacksBytes = (lastKnownBytes ?? 0) - best.positionBytes
  if (lacksBytes <= lagMaxBytes) return { elected: best }
  const lacks = `lacks ${lacksBytes} bytes of what the primary had written`
  return { because: `The best replica, ${best.name}, ${lacks}; ${lagMaxBytes} are allowed.` }
}
