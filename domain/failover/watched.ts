/** A node as the controller's memory has it. */
export type KnownNode = {
  readonly nodeId: string
  readonly name: string
  /** It is silent on purpose. */
  readonly shutDown: boolean
  /** It must not take writes: another has its place, or is about to. */
  readonly fenced: boolean
  /** When it answered at last, to whichever controller; null: never, it is being made. */
  readonly lastSeenAtMs: number | null
  /** How much log it had then, or somewhat earlier; null: nobody knows. */
  readonly positionBytes: number | null
  /** It was told to be lost, by whichever controller, and nobody has told yet that it does its part again. */
  readonly toldLost: boolean
}

/** A datastore as the controller's memory has it. */
export type Known = {
  /** Whether it is certainly ours to act on. */
  readonly owned: boolean
  /** Of the newest epoch; null where nobody has written it down yet. */
  readonly primaryId: string | null
  readonly nodes: readonly KnownNode[]
}

/** What came of a look at a node. */
export type LookResult =
  | {
      readonly kind: 'answered'
      readonly role: 'primary' | 'replica'
      /** How much it has written or received. */
      readonly positionBytes: number | null
      /** Members that stream from it, by name. */
      readonly streaming: readonly string[]
    }
  /** The machine answers, and no server on it: none is there, one waits for a lease, or one is there and takes no connection. */
  | { readonly kind: 'server-down'; readonly server: 'ended' | 'waits-for-lease' | 'refuses' }
  /** Nothing answered in time. */
  | { readonly kind: 'silent' }

export type Looked = { readonly nodeId: string; readonly beganAtMs: number; readonly result: LookResult }

/** What a replica says of the primary; `said` is undefined where the replica's machine did not answer itself. */
export type Heard = {
  readonly nodeId: string
  readonly said: { readonly answers: boolean; readonly receivedBytes: number } | undefined
}

/** What is known of a node from looks. */
export type NodeState = {
  readonly lastSeenAtMs: number | null
  /** Looks in a row without an answer. */
  readonly misses: number
  /** When the first of them began. */
  readonly silentSinceMs?: number
  /** When the replicas said that it is lost to them as well, since it was last looked at. */
  readonly confirmedAtMs?: number
  /** When a replica last said that it hears it, since it was last looked at. */
  readonly heardOfAtMs?: number
  readonly machineAnswers: boolean
  readonly positionBytes: number | null
  readonly streaming: readonly string[]
  readonly deathsAtMs: readonly number[]
  /** When it was last started where it is, while it has been silent. */
  readonly restartedAtMs?: number
  /** Since when it has not followed the primary although its machine answers. */
  readonly apartSinceMs?: number
  readonly toldAtMs: { readonly [K in 'primary-unreachable' | 'node-silent' | 'node-back' | 'node-well']?: number }
}

export type Monitor = { readonly nodes: Readonly<Record<string, NodeState>> }

/** Why a primary is told to be lost. */
export type LossReason = 'silent' | 'server-died' | 'keeps-dying'

export type Action =
  | { readonly type: 'look'; readonly nodeId: string; readonly afterMs: number }
  | { readonly type: 'ask-replicas'; readonly primaryId: string; readonly replicas: readonly string[] }
  | { readonly type: 'restart-in-place'; readonly nodeId: string }
  | { readonly type: 'renew-lease'; readonly nodeId: string }
  /** It takes writes, and another is the primary. */
  | { readonly type: 'fence'; readonly nodeId: string }
  | {
      readonly type: 'tell-unreachable'
      readonly primaryId: string
      readonly lastSeenAtMs: number
      readonly positionBytes: number | null
      readonly because: LossReason
    }
  | { readonly type: 'tell-silent'; readonly nodeId: string; readonly sinceMs: number; readonly machineAnswers: boolean }
  | { readonly type: 'tell-back'; readonly nodeId: string }
  /** It was told to be lost, and does its part. */
  | { readonly type: 'tell-well'; readonly nodeId: string }
  | {
      readonly type: 'tell-restarted'
      readonly nodeId: string
      readonly role: 'primary' | 'replica'
      readonly downSinceMs: number
      readonly backAtMs: number
    }
