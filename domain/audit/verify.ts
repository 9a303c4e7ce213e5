import { type Check, type Fault, type Unreadable, type Verifying, fault } from './checking.ts'
import type { ExportLine, Verdict } from './export.ts'
import { verifyChain } from './verify-chain.ts'
import { verifyProofs } from './verify-proofs.ts'

/**
 * Checks an export, with nothing but the public keys. It holds one entry at a time.
 *
 * @returns `take`, for each line in order, and `verdict`, to be asked once after the last
 */
export const verifyExport = (verifying: Verifying): {
  readonly take: (line: ExportLine | Unreadable) => void
  readonly verdict: () => Verdict
} => {
  let check: Check | undefined
  let wrong: Fault | undefined
  return {
    take: (line) => {
      if (line.kind === 'key' || wrong !== undefined) return
      if (line.kind === 'header') {
        if (check !== undefined) wrong = fault(0, 0, 'there is a second header')
        check ??= line.complete ? verifyChain(verifying, line) : verifyProofs(verifying, line)
      } else if (check === undefined) {
        wrong = fault(0, 0, 'the header is missing')
      } else {
        check.take(line)
      }
    },
    verdict: () => wrong ?? check?.verdict() ?? fault(0, 0, 'the export is empty'),
  }
}
