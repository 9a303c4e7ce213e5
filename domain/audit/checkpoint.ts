import type { Event } from '../kernel/decider.ts'
import type { Instant } from '../kernel/time.ts'

/** The head of an organisation's tree at one moment. Hashes are hexadecimal. */
export type TreeHead = {
  readonly organisationId: string
  /** How many entries it covers. */
  readonly size: number
  readonly rootHash: string
  readonly chainHash: string
  /** Of the last entry that it covers, as `commit/prepare`. */
  readonly position: string
  /** When it was signed. */
  readonly at: Instant
}

/** A tree head and an Ed25519 signature (base64) of its `signedText`. */
export type Checkpoint = TreeHead & { readonly keyId: string; readonly signature: string }

/** On `auditCheckpoint-<organisation>`, which no trail covers. */
export type CheckpointSigned = Event<'CheckpointSigned', Checkpoint>

/** On `auditKey-<key id>`: from here on, checkpoints may be signed with this key. */
export type SigningKeyIntroduced = Event<
  'SigningKeyIntroduced',
  { readonly keyId: string; readonly publicKey: string; readonly at: Instant }
>

export const CHECKPOINT_PREFIX = 'auditCheckpoint-'
export const KEY_PREFIX = 'auditKey-'

/**
 * The text that is signed: seven lines, each ended by a line feed. The first one keeps a signature from being taken for
 * one of anything else.
 */
export const signedText = ({ organisationId, size, rootHash, chainHash, position, at }: TreeHead): string =>
  `${['ccx audit checkpoint v1', organisationId, `${size}`, rootHash, chainHash, position, at].join('\n')}\n`
