import { canonicalJson } from '../kernel/canonical-json.ts'
import { leafHash } from './chain.ts'
import {
  type Check, type EntryLine, type Fault, type Header, type Verifying, checkpointFault, fault, nameOf, unreadable,
} from './checking.ts'
import type { Checkpoint } from './checkpoint.ts'
import { bytesOf, hexOf } from './export.ts'
import { provesInclusion } from './merkle.ts'

type Before = { readonly organisation: string; readonly last: number; readonly head: Checkpoint }

const entryFault = (
  { sha256 }: Verifying,
  line: EntryLine,
  { organisation, last, head }: Before,
): string | undefined => {
  const { entry, leaf_hash: stated, proof = [] } = line
  const name = nameOf(line)
  if (entry.organisation !== organisation) return `${name} is another organisation's: it was put there`
  if (entry.n <= last) return `${name} stands after entry ${last}: they were swapped, or it was put there`
  const leaf = leafHash(sha256, canonicalJson(entry))
  if (hexOf(leaf) !== stated) return `${name} was changed`
  const place = { n: entry.n, size: head.size, leaf, proof: proof.map(bytesOf), root: bytesOf(head.rootHash) }
  return provesInclusion(sha256, place) ? undefined : `${name} is not in what was signed: it was changed, or put there`
}

/**
 * Checks a filtered export: that each entry is in the tree whose head was signed. That no entry was left out cannot be
 * seen from it.
 */
export const verifyProofs = (verifying: Verifying, { organisation }: Header): Check => {
  const { kept } = verifying
  let head: Checkpoint | undefined
  let [last, entries] = [-1, 0]
  let ended: number | undefined
  let found: Fault | undefined

  const take: Check['take'] = (line) => {
    if (found !== undefined) return
    if (line.kind === 'end') {
      ended = line.entries
    } else if (line.kind === 'unreadable') {
      found = unreadable(last + 1, line.line)
    } else if (line.kind === 'checkpoint') {
      head = line.checkpoint
      const because = checkpointFault(verifying, organisation, head)
      if (because !== undefined) found = fault(0, head.size - 1, because)
    } else {
      const { n } = line.entry
      const because =
        head === undefined
          ? 'there is no checkpoint before the entries'
          : entryFault(verifying, line, { organisation, last, head })
      if (because !== undefined) found = fault(n, n, because)
      last = n
      entries += 1
    }
  }
  const ending = (size: number): Fault | undefined => {
    if (ended === undefined) return fault(last + 1, size, `the export was cut off after entry ${last}`)
    if (ended !== entries) return fault(0, size, `the export has ${entries} entries, and says it had ${ended}`)
    if (kept === undefined || kept.size <= size) return undefined
    return fault(size, kept.size - 1, `the export covers ${size} entries, and the checkpoint that was kept ${kept.size}`)
  }
  return {
    take,
    verdict: () => {
      const size = head?.size ?? 0
      const checkpoints = head === undefined ? 0 : 1
      return found ?? ending(size) ?? { sound: true, organisation, complete: false, entries, checkpoints, size }
    },
  }
}
