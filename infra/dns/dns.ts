export type NameRecord = {
  /** Fully qualified, without the final dot. */
  readonly name: string
  /** IPv4 addresses; never empty where they are published. */
  readonly addresses: readonly string[]
  readonly ttlSeconds: number
}

/**
 * Whose word counts, where several may say what names answer with: the one of the highest rank, and of the same rank the last.
 * Which that was the server keeps under `name`, and changes in the same step as the names.
 */
export type Claim = { readonly name: string; readonly rank: number }

/** `outranked`: one of a higher rank has spoken, and nothing was changed. */
export type Spoken = 'done' | 'outranked'

/** Names of datastores and nodes. Both verbs may be repeated, and return when an asker of the server would see the effect. */
export type Dns = {
  /** Makes each name answer with exactly these addresses. */
  readonly publish: (records: readonly NameRecord[], claim?: Claim) => Promise<Spoken>
  /** Makes each name answer with nothing; under a claim it is kept who said so, else nothing is left under the name. */
  readonly withdraw: (names: readonly string[], claim?: Claim) => Promise<Spoken>
  /**
   * All names that end in `.suffix` or are `suffix`, for finding what was left behind. One that has no addresses keeps who spoke
   * last.
   */
  readonly list: (suffix: string) => Promise<readonly NameRecord[]>
}
