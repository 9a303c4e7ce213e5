import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Sha256 } from '../../domain/audit/chain.ts'
import { hexOf } from '../../domain/audit/export.ts'
import {
  type Range, type Tree, consistencyRanges, emptyTree, inclusionRanges, provesInclusion, rootOf, withLeaf,
} from '../../domain/audit/merkle.ts'
import { isStored, rangeHashes, runsOf } from '../../domain/audit/stored-tree.ts'
import { canonicalJson } from '../../domain/kernel/canonical-json.ts'

const test = suite('trees and texts of the audit trail')

const sha256: Sha256 = (...parts) => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

const SIZE_MAX = 70_000
const leafAt = (n: number): Uint8Array => sha256(Uint8Array.of(0), `leaf ${n}`)

// One tree, as it was when it had each of these numbers of leaves, and all of it that is kept.
const leaves = Array.from({ length: SIZE_MAX }, (_, n) => leafAt(n))
const stored = new Map<string, Uint8Array>()
const trees: Tree[] = [emptyTree]
leaves.reduce<Tree>((tree, leaf) => {
  stored.set(`0:${tree.size}`, leaf)
  const next = withLeaf(sha256, tree, leaf, (level, index, hash) => {
    if (isStored(level)) stored.set(`${level}:${index}`, hash)
  })
  trees.push(next)
  return next
}, emptyTree)

const hashOf = (ranges: readonly Range[]): ((range: Range) => Uint8Array) => {
  const runs = runsOf(ranges)
  return rangeHashes(sha256, (level, index) => {
    assert.ok(runs.some((run) => run.level === level && index >= run.from && index < run.to), 'asks for what it did not name')
    return stored.get(`${level}:${index}`) ?? sha256('absent')
  })
}
const root = (size: number): string => hexOf(rootOf(sha256, trees[size] ?? emptyTree))

/** The tree hash as RFC 9162, section 2.1.1, defines it. */
const defined = (of: readonly Uint8Array[]): Uint8Array => {
  if (of.length <= 1) return of[0] ?? sha256()
  const split = 2 ** (Math.ceil(Math.log2(of.length)) - 1)
  return sha256(Uint8Array.of(1), defined(of.slice(0, split)), defined(of.slice(split)))
}

const size = fc.integer({ min: 1, max: SIZE_MAX })

test('a tree that grows leaf by leaf has the root that the definition gives', () => {
  for (let n = 0; n < 70; n++) assert.is(root(n), hexOf(defined(leaves.slice(0, n))), `${n} leaves`)
  assert.is(root(SIZE_MAX), hexOf(defined(leaves)))
})

test('a proof of inclusion that is made from what is stored holds for its leaf and for no other', () => {
  fc.assert(
    fc.property(size, fc.nat(), (of, at) => {
      const n = at % of
      const ranges = inclusionRanges(n, of)
      const hash = hashOf(ranges)
      const proof = ranges.map(hash)
      const place = { n, size: of, leaf: leafAt(n), proof, root: rootOf(sha256, trees[of] ?? emptyTree) }
      assert.is(provesInclusion(sha256, place), true)
      assert.is(provesInclusion(sha256, { ...place, leaf: leafAt(n + 1) }), false)
      if (of > 1) assert.is(provesInclusion(sha256, { ...place, n: n === 0 ? 1 : n - 1 }), false)
      assert.is(provesInclusion(sha256, { ...place, proof: [...proof, leafAt(0)] }), false)
    }),
    { numRuns: 150 },
  )
})

test('a proof of consistency between any two sizes leads from one root to the other', () => {
  fc.assert(
    fc.property(size, size, (a, b) => {
      const [from, to] = [Math.min(a, b), Math.max(a, b)]
      const ranges = consistencyRanges(from, to)
      const within = (range: Range) => range.end <= from || range.start >= from || range.end === to
      assert.ok(ranges.every(within), 'a subtree lies on one side or ends the tree')
      const older = { start: 0, end: from }
      assert.is(hexOf(hashOf([older])(older)), root(from))
      const newer = { start: 0, end: to }
      assert.is(hexOf(hashOf([newer])(newer)), root(to))
    }),
    { numRuns: 100 },
  )
})

test('a proof among a million entries asks for some hundred hashes', () => {
  fc.assert(
    fc.property(fc.nat({ max: 999_999 }), fc.integer({ min: 1, max: 1_000_000 }), (n, from) => {
      for (const ranges of [inclusionRanges(n, 1_000_000), consistencyRanges(from, 1_000_000)]) {
        const asked = runsOf(ranges).reduce((sum, run) => sum + run.to - run.from, 0)
        assert.ok(asked <= 1_100, `${asked}`)
      }
    }),
  )
})

test('canonical JSON sorts by UTF-16 units and writes numbers and texts in one way', () => {
  // The example of RFC 8785, section 3.2.3, and numbers of section 3.2.2.
  const value: unknown = JSON.parse(String.raw`{"\u20ac":"Euro Sign","\r":"Carriage Return",
    "\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face",
    "\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`)
  const order = [...canonicalJson(value).matchAll(/:"(\w+)/g)].map(([, word]) => word)
  assert.equal(order, ['Carriage', 'One', 'Control', 'Latin', 'Euro', 'Emoji', 'Hebrew'])
  const numbers: unknown = JSON.parse('[333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001, -0]')
  assert.is(canonicalJson(numbers), '[333333333.3333333,1e+30,4.5,0.002,1e-27,0]')
  assert.is(canonicalJson({ b: [{ 2: 1, 10: 1 }], a: '\u0000\ud800"' }), String.raw`{"a":"\u0000\ud800\"","b":[{"10":1,"2":1}]}`)
})

test('canonical JSON is the same whatever the order of members, and reads back as what it was', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value)
      const turned = (_: string, part: unknown): unknown =>
        part === null || typeof part !== 'object' || Array.isArray(part)
          ? part
          : Object.fromEntries(Object.entries(part).toReversed())
      const shuffled: unknown = JSON.parse(JSON.stringify(value), turned)
      assert.is(canonicalJson(shuffled), text)
      assert.is(canonicalJson(JSON.parse(text)), text)
      assert.equal(JSON.parse(text), JSON.parse(JSON.stringify(value)))
    }),
  )
})

test.run()
