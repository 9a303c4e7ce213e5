import type { Sha256 } from './chain.ts'
import { type Checkpoint, signedText } from './checkpoint.ts'
import type { ExportLine, Verdict } from './export.ts'

export type Verifying = {
  readonly sha256: Sha256
  /** Whether the signature (base64) of the text is by the key of that name; undefined: the key was not given. */
  readonly verify: (keyId: string, text: string, signature: string) => boolean | undefined
  /** A checkpoint that was kept elsewhere, which the export must reach and agree with. */
  readonly kept?: Checkpoint | undefined
}

export type Header = Extract<ExportLine, { kind: 'header' }>
export type EntryLine = Extract<ExportLine, { kind: 'entry' }>

export type Fault = Extract<Verdict, { sound: false }>

export const fault = (from: number, to: number, because: string): Fault => ({ sound: false, from, to, because })

/** A line that is none of an export, by its number from 1. */
export type Unreadable = { readonly kind: 'unreadable'; readonly line: number }

/** Takes the lines after the header, one by one; says at the end what came of it. */
export type Check = {
  readonly take: (line: Exclude<ExportLine, { kind: 'header' | 'key' }> | Unreadable) => void
  readonly verdict: () => Verdict
}

export const unreadable = (n: number, line: number): Fault =>
  fault(n, n, `line ${line}, where entry ${n} was to be looked for, cannot be read: it was changed`)

export const nameOf = ({ entry }: EntryLine): string => `entry ${entry.n} (log position ${entry.position})`

/** What is wrong with a checkpoint by itself, if anything is. */
export const checkpointFault = (
  { verify }: Verifying,
  organisation: string,
  checkpoint: Checkpoint,
): string | undefined => {
  const { keyId, size, signature, organisationId } = checkpoint
  if (organisationId !== organisation) return `the checkpoint of ${size} entries is another organisation's`
  const valid = verify(keyId, signedText(checkpoint), signature)
  if (valid === undefined) return `the checkpoint of ${size} entries is signed with another key (${keyId}) than those given`
  return valid ? undefined : `the signature of the checkpoint of ${size} entries is not valid: the checkpoint was changed`
}
