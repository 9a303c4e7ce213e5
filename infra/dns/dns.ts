export type NameRecord = {
  /** Fully qualified, without the final dot. */
  readonly name: string
  /** IPv4 addresses; never empty. */
  readonly addresses: readonly string[]
  readonly ttlSeconds: number
}

/** Names of datastores and nodes. Both verbs may be repeated, and return when an asker of the server would see the effect. */
export type Dns = {
  /** Makes each name answer with exactly these addresses. */
  readonly publish: (records: readonly NameRecord[]) => Promise<void>
  /** Makes each name answer with nothing. */
  readonly withdraw: (names: readonly string[]) => Promise<void>
  /** All names that end in `.suffix` or are `suffix`, for finding what was left behind. */
  readonly list: (suffix: string) => Promise<readonly NameRecord[]>
}
