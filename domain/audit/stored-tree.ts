import type { Sha256 } from './chain.ts'
import { type Range, nodeHash } from './merkle.ts'

/** Only every eighth level of a tree is kept: the leaves, and the roots of 256, 65,536 and 16,777,216 of them. */
const STEP = 8

export const isStored = (level: number): boolean => level % STEP === 0

/** Stored hashes of one level that stand side by side. */
export type Run = { readonly level: number; readonly from: number; readonly to: number }

/** A complete subtree of 2^level leaves. */
type Subtree = { readonly level: number; readonly index: number }

/** A range of a proof as complete subtrees, from left to right. */
const subtreesOf = ({ start, end }: Range): readonly Subtree[] => {
  const subtrees: Subtree[] = []
  for (let at = start; at < end; ) {
    let [level, width] = [0, 1]
    while (at % (width * 2) === 0 && at + width * 2 <= end) [level, width] = [level + 1, width * 2]
    subtrees.push({ level, index: at / width })
    at += width
  }
  return subtrees
}

const runOf = ({ level, index }: Subtree): Run => {
  const stored = level - (level % STEP)
  const each = 2 ** (level - stored)
  return { level: stored, from: index * each, to: (index + 1) * each }
}

/** What must be read to know the hashes of these ranges: some hundred hashes each, however large the tree is. */
export const runsOf = (ranges: readonly Range[]): readonly Run[] => {
  const sorted = ranges
    .flatMap((range) => subtreesOf(range).map(runOf))
    .toSorted((a, b) => a.level - b.level || a.from - b.from)
  const merged: Run[] = []
  for (const run of sorted) {
    const last = merged.at(-1)
    if (last === undefined || last.level !== run.level || last.to < run.from) merged.push(run)
    else merged.splice(-1, 1, { ...last, to: Math.max(last.to, run.to) })
  }
  return merged
}

/** A stored hash; it throws for one that was not among the runs. */
export type Stored = (level: number, index: number) => Uint8Array

/** Computes the hashes of ranges from what is stored; what it has computed once it remembers. */
export const rangeHashes = (sha256: Sha256, stored: Stored): ((range: Range) => Uint8Array) => {
  const known = new Map<string, Uint8Array>()
  const subtree = (level: number, index: number): Uint8Array => {
    if (isStored(level)) return stored(level, index)
    const name = `${level}:${index}`
    const before = known.get(name)
    if (before !== undefined) return before
    const hash = nodeHash(sha256, subtree(level - 1, index * 2), subtree(level - 1, index * 2 + 1))
    known.set(name, hash)
    return hash
  }
  return (range) => {
    const hash = subtreesOf(range)
      .map(({ level, index }) => subtree(level, index))
      .reduceRight<Uint8Array | undefined>(
        (right, left) => (right === undefined ? left : nodeHash(sha256, left, right)),
        undefined,
      )
    return hash ?? sha256()
  }
}
