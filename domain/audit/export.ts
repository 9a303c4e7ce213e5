import type { Checkpoint } from './checkpoint.ts'

export const EXPORT_FORMAT = 'ccx-audit-export-v1'

/** An entry as it was hashed; its other members are those of `entryText`. */
export type ExportedEntry = {
  readonly organisation: string
  readonly n: number
  readonly position: string
  readonly [member: string]: unknown
}

/**
 * The lines of an export, one JSON value each. A complete one has every entry from the first up to its last checkpoint,
 * and each checkpoint after the last entry that it covers. A filtered one has one checkpoint, before the entries, and a
 * proof of inclusion with each. Hashes are hexadecimal.
 */
export type ExportLine =
  | {
      readonly kind: 'header'
      readonly format: typeof EXPORT_FORMAT
      readonly organisation: string
      readonly complete: boolean
      /** How many entries the last checkpoint covers. */
      readonly size: number
    }
  | { readonly kind: 'key'; readonly key_id: string; readonly public_key: string }
  | {
      readonly kind: 'entry'
      readonly entry: ExportedEntry
      readonly leaf_hash: string
      readonly chain_hash: string
      readonly proof?: readonly string[] | undefined
    }
  | { readonly kind: 'checkpoint'; readonly checkpoint: Checkpoint }
  | { readonly kind: 'end'; readonly entries: number }

/** What an export was found to be: as it was signed, or where it is not. */
export type Verdict =
  | {
      readonly sound: true
      readonly organisation: string
      /** Whether it has every entry; of a filtered one it cannot be seen what was left out. */
      readonly complete: boolean
      readonly entries: number
      readonly checkpoints: number
      /** How many entries the last checkpoint covers. */
      readonly size: number
    }
  | {
      readonly sound: false
      /** The first entry that it can be, and the last one. */
      readonly from: number
      readonly to: number
      readonly because: string
    }

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

export const hexOf = (bytes: Uint8Array): string => {
  let text = ''
  for (const byte of bytes) text += DIGITS[byte]
  return text
}

export const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from({ length: hex.length / 2 }, (_, n) => Number.parseInt(hex.slice(2 * n, 2 * n + 2), 16))
