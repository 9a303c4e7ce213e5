import type { Sha256 } from './chain.ts'

/** Merkle trees as RFC 9162, section 2.1, has them. Indexes and sizes are whole numbers below 2^53. */

const NODE = Uint8Array.of(1)

export const nodeHash = (sha256: Sha256, left: Uint8Array, right: Uint8Array): Uint8Array => sha256(NODE, left, right)

/** The leaves from `start` up to and without `end`. */
export type Range = { readonly start: number; readonly end: number }

/** The greatest power of two that is smaller than `size`, which is at least 2. */
const splitOf = (size: number): number => {
  let split = 1
  while (split * 2 < size) split *= 2
  return split
}

/**
 * The subtrees whose hashes are the inclusion proof of leaf `n` in the tree of the first `size` leaves, in the order of
 * the proof (RFC 9162, section 2.1.3.1).
 */
export const inclusionRanges = (n: number, size: number, start = 0): readonly Range[] => {
  if (size <= 1) return []
  const split = splitOf(size)
  const middle = start + split
  return n < split
    ? [...inclusionRanges(n, split, start), { start: middle, end: start + size }]
    : [...inclusionRanges(n - split, size - split, middle), { start, end: middle }]
}

/**
 * The subtrees whose hashes are the proof that the tree of `from` leaves is the beginning of that of `to`
 * (RFC 9162, section 2.1.4.1).
 *
 * @param from at least 1 and at most `to`
 */
export const consistencyRanges = (from: number, to: number): readonly Range[] => consistency(from, 0, to, true)

const consistency = (from: number, start: number, size: number, whole: boolean): readonly Range[] => {
  if (from === size) return whole ? [] : [{ start, end: start + size }]
  const split = splitOf(size)
  const middle = start + split
  return from <= split
    ? [...consistency(from, start, split, whole), { start: middle, end: start + size }]
    : [...consistency(from - split, middle, size - split, false), { start, end: middle }]
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, index) => byte === b[index])

/** Whether a proof shows that the leaf is the `n`th of the tree with this root (RFC 9162, section 2.1.3.2). */
export const provesInclusion = (
  sha256: Sha256,
  { n, size, leaf, proof, root }: {
    readonly n: number
    readonly size: number
    readonly leaf: Uint8Array
    readonly proof: readonly Uint8Array[]
    readonly root: Uint8Array
  },
): boolean => {
  if (!(n >= 0 && n < size)) return false
  let place = n
  let last = size - 1
  let hash = leaf
  for (const sibling of proof) {
    if (last === 0) return false
    if (place % 2 === 1 || place === last) {
      hash = nodeHash(sha256, sibling, hash)
      while (place % 2 === 0 && place !== 0) [place, last] = [place / 2, Math.floor(last / 2)]
    } else {
      hash = nodeHash(sha256, hash, sibling)
    }
    place = Math.floor(place / 2)
    last = Math.floor(last / 2)
  }
  return last === 0 && same(hash, root)
}

/** A tree that leaves are added to. It holds the roots of its complete subtrees alone, widest first. */
export type Tree = { readonly size: number; readonly frontier: readonly Uint8Array[] }

export const emptyTree: Tree = { size: 0, frontier: [] }

/**
 * The tree with one more leaf.
 *
 * @param completed told of every subtree that the leaf completes: its level (its leaves are 2^level), index and hash
 */
export const withLeaf = (
  sha256: Sha256,
  { size, frontier }: Tree,
  leaf: Uint8Array,
  completed?: (level: number, index: number, hash: Uint8Array) => void,
): Tree => {
  let hash = leaf
  let kept = frontier.length
  let index = size
  for (let level = 0; index % 2 === 1; kept -= 1) {
    const left = frontier[kept - 1]
    if (left === undefined) throw new Error(`BUG: a tree of ${size} leaves has a frontier of ${frontier.length}`)
    hash = nodeHash(sha256, left, hash)
    index = (index - 1) / 2
    level += 1
    completed?.(level, index, hash)
  }
  return { size: size + 1, frontier: [...frontier.slice(0, kept), hash] }
}

/** The root of a tree (RFC 9162, section 2.1.1); of the empty one, the hash of nothing. */
export const rootOf = (sha256: Sha256, { frontier }: Tree): Uint8Array => {
  const root = frontier.reduceRight<Uint8Array | undefined>(
    (right, left) => (right === undefined ? left : nodeHash(sha256, left, right)),
    undefined,
  )
  return root ?? sha256()
}
