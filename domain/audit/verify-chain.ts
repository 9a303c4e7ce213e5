import { canonicalJson } from '../kernel/canonical-json.ts'
import { type Sha256, chainStart, chained, leafHash } from './chain.ts'
import {
  type Check, type EntryLine, type Fault, type Header, type Verifying, checkpointFault, fault, nameOf, unreadable,
} from './checking.ts'
import type { Checkpoint } from './checkpoint.ts'
import { bytesOf, hexOf } from './export.ts'
import { type Tree, emptyTree, rootOf, withLeaf } from './merkle.ts'

/** Where something is wrong first, while what follows may still tell what it is. */
type Suspicion = {
  readonly kind: 'changed' | 'chain' | 'gap' | 'short'
  /** The place in the chain, and the chain before it. */
  readonly n: number
  readonly chain: Uint8Array
  /** What stands there. */
  readonly name: string
  /** The chain hash that stands there. */
  readonly stated: string
  /** The place that is next to be had. */
  readonly next: number
}

/** How far the export has been found to be as it was signed. */
type Walk = Verifying & {
  readonly organisation: string
  tree: Tree
  chain: Uint8Array
  chainBefore: Uint8Array
  last: { readonly name: string; readonly position: string }
  /** How many entries the last checkpoint covers, and how many checkpoints there were. */
  signed: { readonly size: number; readonly count: number }
  suspicion: Suspicion | undefined
}

const through = (from: number, to: number): string => (from === to ? `entry ${from}` : `entries ${from} to ${to}`)

const dropped = (from: number, to: number, where: string): string =>
  `${through(from, to)}, ${where}, ${from === to ? 'was' : 'were'} dropped`

const leafOf = (sha256: Sha256, { entry }: EntryLine): Uint8Array => leafHash(sha256, canonicalJson(entry))

/** Whether the entry, as it says of itself, follows upon that chain. */
const follows = ({ sha256 }: Walk, line: EntryLine, before: Uint8Array): boolean =>
  hexOf(chained(sha256, before, leafOf(sha256, line))) === line.chain_hash

const agrees = ({ sha256, tree, chain, last }: Walk, { rootHash, chainHash, position }: Checkpoint): boolean =>
  rootHash === hexOf(rootOf(sha256, tree)) && chainHash === hexOf(chain) && position === last.position

const recomputed = (from: number, to: number, by: string): Fault =>
  fault(
    from,
    to,
    `${through(from, to)}, after the checkpoint of ${from} entries, ${from === to ? 'is' : 'are'} not what was signed by ` +
      `${by}: something was changed there, and the hashes after it were computed anew`,
  )

const suspect = (walk: Walk, kind: Suspicion['kind'], more: Pick<Suspicion, 'name' | 'stated' | 'next'>): undefined => {
  walk.suspicion = { kind, n: walk.tree.size, chain: walk.chain, ...more }
}

const insertedBefore = (walk: Walk, line: EntryLine): Fault => {
  const { tree, chainBefore, last } = walk
  const name = nameOf(line)
  return line.entry.n === tree.size - 1 && follows(walk, line, chainBefore)
    ? fault(line.entry.n, line.entry.n, `an entry was inserted before ${name}`)
    : fault(tree.size, tree.size, `an entry was inserted after ${last.name}: it says it is ${name}`)
}

const takeEntry = (walk: Walk, line: EntryLine): Fault | undefined => {
  const { sha256, organisation, tree, chain, kept } = walk
  const { n, position } = line.entry
  const about = { name: nameOf(line), stated: line.chain_hash, next: n }
  if (n < tree.size) return insertedBefore(walk, line)
  if (n > tree.size) return suspect(walk, 'gap', about)
  const leaf = leafOf(sha256, line)
  if (line.entry.organisation !== organisation || hexOf(leaf) !== line.leaf_hash) return suspect(walk, 'changed', about)
  const next = chained(sha256, chain, leaf)
  if (hexOf(next) !== line.chain_hash) return suspect(walk, 'chain', about)
  walk.chainBefore = chain
  walk.chain = next
  walk.tree = withLeaf(sha256, tree, leaf)
  walk.last = { name: about.name, position }
  return kept?.size === walk.tree.size && !agrees(walk, kept) ? recomputed(0, n, 'the checkpoint that was kept') : undefined
}

const takeCheckpoint = (walk: Walk, checkpoint: Checkpoint): Fault | undefined => {
  const { tree, signed, organisation } = walk
  const { size, chainHash } = checkpoint
  const name = `the checkpoint of ${size} entries`
  const because = checkpointFault(walk, organisation, checkpoint)
  if (because !== undefined) return fault(signed.size, Math.max(size, tree.size) - 1, because)
  if (size > tree.size) return suspect(walk, 'short', { name, stated: chainHash, next: size })
  if (size < tree.size || !agrees(walk, checkpoint)) return recomputed(signed.size, tree.size - 1, name)
  walk.signed = { size, count: signed.count + 1 }
  return undefined
}

/** The chain does not go on to an entry: what stands before it was changed, or the hash that it states. */
const broken = ({ signed }: Walk, { n, name }: Suspicion, original: boolean): Fault =>
  original && n > signed.size
    ? fault(
        signed.size,
        n - 1,
        `the chain breaks before ${name}: something in ${through(signed.size, n - 1)}, after the checkpoint of ` +
          `${signed.size} entries, was changed, and the hashes computed anew`,
      )
    : fault(n, n, `the chain hash of ${name} was changed`)

/** An entry after the first fault may tell what that is. */
const explained = (walk: Walk, line: EntryLine, about: Suspicion): Fault | undefined => {
  const { kind, n, name, next, stated, chain } = about
  if (kind === 'short') {
    return line.entry.n >= next
      ? fault(n, next - 1, dropped(n, next - 1, `after ${walk.last.name}`))
      : recomputed(walk.signed.size, next - 1, name)
  }
  if (line.entry.n === n && follows(walk, line, chain)) {
    const what = kind === 'gap' ? `was swapped: it stands after ${name}` : 'has an entry before it that was inserted'
    return fault(n, n, `${nameOf(line)} ${what}`)
  }
  if (kind !== 'chain' || line.entry.n !== n + 1) return undefined
  return broken(walk, about, follows(walk, line, bytesOf(stated)))
}

/** What the first fault is when nothing more is to come. */
const settled = (walk: Walk, about: Suspicion): Fault => {
  const { signed, last } = walk
  const { kind, n, name, next } = about
  switch (kind) {
    case 'changed':
      return fault(n, n, `${name} was changed`)
    case 'chain':
      return broken(walk, about, true)
    case 'gap':
      return fault(n, next - 1, dropped(n, next - 1, `before ${name}`))
    case 'short':
      return fault(
        signed.size,
        next - 1,
        `${name} covers ${next - n} more than there are: the export was truncated after ${last.name}, or something ` +
          `after the checkpoint of ${signed.size} entries was dropped and the hashes computed anew`,
      )
  }
}

/** What is wrong with how an export ends that is sound as far as it goes. */
const endingFault = (
  { tree: { size }, last, signed, kept }: Walk,
  promised: number,
  ended: number | undefined,
): Fault | undefined => {
  if (ended === undefined) return fault(size, Math.max(promised - 1, size), `the export was cut off after ${last.name}`)
  if (size !== promised || size !== ended) {
    return fault(size, Math.max(promised, ended, size + 1) - 1, `the export was truncated after ${last.name}`)
  }
  if (signed.size < size) return fault(signed.size, size - 1, `no checkpoint covers ${through(signed.size, size - 1)}`)
  if (kept === undefined || kept.size <= size) return undefined
  const because = `the export ends after ${last.name}, and the checkpoint that was kept covers ${kept.size} entries`
  return fault(size, kept.size - 1, because)
}

/** Checks a complete export: every leaf, the chain, and the root of every checkpoint. */
export const verifyChain = (verifying: Verifying, { organisation, size: promised }: Header): Check => {
  const start = chainStart(verifying.sha256, organisation)
  const walk: Walk = {
    ...verifying,
    organisation,
    tree: emptyTree,
    chain: start,
    chainBefore: start,
    last: { name: 'the start', position: '' },
    signed: { size: 0, count: 0 },
    suspicion: undefined,
  }
  let ended: number | undefined
  let found: Fault | undefined

  const judged = (line: Parameters<Check['take']>[0]): Fault | undefined => {
    const { suspicion, tree: { size } } = walk
    if (ended !== undefined) return fault(size, size, 'there is more after the end')
    if (line.kind === 'end') {
      ended = line.entries
      return undefined
    }
    if (line.kind === 'unreadable') return suspicion === undefined ? unreadable(size, line.line) : undefined
    if (suspicion === undefined) {
      return line.kind === 'entry' ? takeEntry(walk, line) : takeCheckpoint(walk, line.checkpoint)
    }
    if (line.kind === 'entry') return explained(walk, line, suspicion)
    return suspicion.kind === 'chain'
      ? broken(walk, suspicion, line.checkpoint.chainHash === suspicion.stated)
      : undefined
  }
  return {
    take: (line) => {
      found ??= judged(line)
    },
    verdict: () => {
      const { suspicion, tree: { size }, signed } = walk
      const wrong = found ?? (suspicion === undefined ? endingFault(walk, promised, ended) : settled(walk, suspicion))
      return wrong ?? { sound: true, organisation, complete: true, entries: size, checkpoints: signed.count, size }
    },
  }
}
