import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { chainStart, chained, leafHash } from '../../domain/audit/chain.ts'
import { bytesOf, hexOf } from '../../domain/audit/export.ts'
import type { Verdict } from '../../domain/audit/export.ts'
import { canonicalJson } from '../../domain/kernel/canonical-json.ts'
import { readCheckpoint, verifyLines } from '../../infra/audit/read-export.ts'
import { sha256 } from '../../infra/audit/sha256.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { auditDb } from '../../read-api/audit/index.ts'
import { exportOf } from '../../read-api/audit/export.ts'
import { newSigningKey, startAudit } from '../support/audit.ts'
import { newEvents } from '../support/events.ts'
import { openPersonalData } from '../support/personal-data.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore } from '../support/read-store.ts'

const test = suite('a verifier of exports')

const ENTRIES = 60
const PER_CHECKPOINT = 6
const organisation = '0a000000-0000-4000-8000-000000000001'
const RUNS = { numRuns: 150 }

const server = await startPostgres(['fsync=off'])
const readStore = await emptyReadStore(server.url, 'audit_verify')
const store = memoryEventStore()
const key = newSigningKey()
const audit = await startAudit(store, readStore, { key, everyMs: 1 })
const events = newEvents(ENTRIES).map((event) => ({ ...event, metadata: { ...event.metadata, organisationId: organisation } }))
for (let n = 0; n < ENTRIES; n += PER_CHECKPOINT) {
  const expected = n === 0 ? 'absent' : BigInt(n - 1)
  await store.append('datastore-a', events.slice(n, n + PER_CHECKPOINT), { expected })
  await audit.settled()
}
const principal = { isAdmin: false, ownerId: organisation }
const queries = { db: auditDb(readStore.db), personal: openPersonalData, sha256, waitFor: audit.waitFor }
const linesOf = async (filter: object = {}): Promise<readonly string[]> => {
  const signal = { aborted: false }
  const { chunks } = await exportOf({ ...queries, organisation, filter, principal, signal }, 'json')
  let text = ''
  for await (const chunk of chunks) text += chunk
  return text.trimEnd().split('\n')
}
const genuine = await linesOf()
const filtered = await linesOf({ type: 'SomethingHappened' })
await audit.stop()
await readStore.close()
await server.stop()

type Line = Record<string, unknown>
const read = (line: string): Line => JSON.parse(line)
const isEntry = (line: string): boolean => read(line)['kind'] === 'entry'
const places = genuine.flatMap((line, index) => (isEntry(line) ? [index] : []))
const place = fc.integer({ min: 0, max: ENTRIES - 1 })
const indexOf = (n: number): number => places[n] ?? -1

const verify = (lines: readonly string[], more: Partial<Parameters<typeof verifyLines>[1]> = {}): Promise<Verdict> =>
  verifyLines(lines, { publicKeys: [key.publicKey], ...more })

const assertNamed = async (lines: readonly string[], n: number, words: RegExp): Promise<void> => {
  const verdict = await verify(lines)
  assert.is(verdict.sound, false)
  if (verdict.sound) return
  assert.equal([verdict.from, verdict.to], [n, n], verdict.because)
  assert.match(verdict.because, words)
}

/** Every hash of the chain computed anew, as one would who covers up what he changed. */
const coveredUp = (lines: readonly string[]): readonly string[] => {
  let [chain, n] = [chainStart(sha256, organisation), 0]
  return lines.map((text) => {
    const line = read(text)
    if (line['kind'] !== 'entry') return text
    const entry: object = { ...Object(line['entry']), n: n++ }
    const leaf = leafHash(sha256, canonicalJson(entry))
    chain = chained(sha256, chain, leaf)
    return JSON.stringify({ ...line, entry, leaf_hash: hexOf(leaf), chain_hash: hexOf(chain) })
  })
}
const changed = (line: string, data: object): string => {
  const { entry, ...rest } = read(line)
  return JSON.stringify({ ...rest, entry: { ...Object(entry), data } })
}

test('finds an export sound that nobody has touched, whole or filtered', async () => {
  const sound = { sound: true, organisation, entries: ENTRIES, size: ENTRIES }
  assert.equal(await verify(genuine), { ...sound, complete: true, checkpoints: 10 })
  assert.equal(await verify(filtered), { ...sound, complete: false, checkpoints: 1 })
})

test('names the entry in which one character was changed', async () => {
  await fc.assert(
    fc.asyncProperty(place, fc.nat(), fc.integer({ min: 1, max: 127 }), async (n, at, bit) => {
      for (const lines of [genuine, filtered]) {
        const index = lines === genuine ? indexOf(n) : lines.findIndex(isEntry) + n
        const line = lines[index] ?? ''
        // What is opened beside the entry is not part of what was signed.
        const end = line.indexOf(',"opened"')
        const spot = lines === genuine ? at % end : at % line.indexOf(',"chain_hash"')
        const flipped = String.fromCharCode(line.charCodeAt(spot) ^ bit)
        const forged = line.slice(0, spot) + flipped + line.slice(spot + 1)
        const verdict = await verify(lines.with(index, forged))
        assert.is(verdict.sound, false, forged)
        // A number that was changed makes a gap or a repeat of it, at the same place.
        if (!verdict.sound && !/"n":/.test(line.slice(spot - 6, spot + 6))) assert.is(verdict.from, n, verdict.because)
      }
    }),
    RUNS,
  )
})

test('names the entry that was dropped', async () => {
  await fc.assert(
    fc.asyncProperty(place, async (n) => {
      const lines = genuine.toSpliced(indexOf(n), 1)
      if (n < ENTRIES - 1) return assertNamed(lines, n, /dropped/)
      const verdict = await verify(lines)
      assert.ok(!verdict.sound && verdict.from <= n && verdict.to === n && /truncated/.test(verdict.because))
    }),
    RUNS,
  )
})

test('names the first of two entries that were swapped', async () => {
  await fc.assert(
    fc.asyncProperty(place, place, async (a, b) => {
      const [n, other] = [Math.min(a, b), Math.max(a, b)]
      if (n === other) return
      const lines = genuine.with(indexOf(n), genuine[indexOf(other)] ?? '').with(indexOf(other), genuine[indexOf(n)] ?? '')
      await assertNamed(lines, n, /swapped/)
    }),
    RUNS,
  )
})

test('names the place where an entry was inserted, with hashes of its own or without', async () => {
  await fc.assert(
    fc.asyncProperty(place, fc.boolean(), async (n, hashed) => {
      const forged = changed(genuine[indexOf(n)] ?? '', { forged: true })
      const [own = ''] = hashed ? coveredUp([...genuine.slice(0, indexOf(n)), forged]).slice(-1) : [forged]
      await assertNamed(genuine.toSpliced(indexOf(n), 0, own), n, /inserted/)
    }),
    RUNS,
  )
})

test('finds out that an export was cut off, or shortened with a new end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: genuine.length - 1 }), async (length) => {
      const verdict = await verify(genuine.slice(0, length))
      assert.is(verdict.sound, false)
      const entries = genuine.slice(0, length).filter(isEntry).length
      const shortened = await verify([...genuine.slice(0, length), JSON.stringify({ kind: 'end', entries })])
      if (entries < ENTRIES) assert.is(shortened.sound, false)
      if (!shortened.sound && length > 0 && !verdict.sound) assert.ok(shortened.from <= entries && verdict.from <= entries)
    }),
    RUNS,
  )
})

test('says between which checkpoints a change lies that was covered up by computing every hash anew', async () => {
  const kinds = ['change', 'drop', 'insert', 'swap'] as const
  await fc.assert(
    fc.asyncProperty(place, fc.constantFrom(...kinds), async (n, kind) => {
      const index = indexOf(n)
      const forged = changed(genuine[index] ?? '', { forged: true })
      const touched = {
        change: genuine.with(index, forged),
        drop: genuine.toSpliced(index, 1),
        insert: genuine.toSpliced(index, 0, forged),
        swap: genuine.with(index, genuine[indexOf(0)] ?? '').with(indexOf(0), genuine[index] ?? ''),
      }[kind]
      if (kind === 'swap' && n === 0) return
      const first = kind === 'swap' ? 0 : n
      const before = first - (first % PER_CHECKPOINT)
      const verdict = await verify(coveredUp(touched))
      assert.ok(!verdict.sound)
      if (verdict.sound) return
      assert.is(verdict.from, before, verdict.because)
      assert.ok(verdict.to >= first && verdict.to <= before + PER_CHECKPOINT, verdict.because)
      assert.match(verdict.because, /computed anew/)
    }),
    RUNS,
  )
})

test('finds a change whose hashes were computed anew up to some entry only', async () => {
  await fc.assert(
    fc.asyncProperty(place, place, async (a, b) => {
      const [n, until] = [Math.min(a, b), Math.max(a, b)]
      const forged = genuine.with(indexOf(n), changed(genuine[indexOf(n)] ?? '', { forged: true }))
      const anew = coveredUp(forged)
      const verdict = await verify(forged.map((line, index) => (index <= indexOf(until) ? (anew[index] ?? '') : line)))
      assert.ok(!verdict.sound && verdict.from <= n && n <= verdict.to, JSON.stringify(verdict))
      assert.ok(!verdict.sound && verdict.to - verdict.from < PER_CHECKPOINT)
    }),
    RUNS,
  )
})

test('believes no key but those it was given, and no checkpoint that was changed', async () => {
  const other = await verify(genuine, { publicKeys: [newSigningKey().publicKey] })
  assert.ok(!other.sound && /another key/.test(other.because))
  for (const [index, line] of genuine.entries()) {
    if (read(line)['kind'] !== 'checkpoint') continue
    const checkpoint: object = Object(read(line)['checkpoint'])
    const later = JSON.stringify({ kind: 'checkpoint', checkpoint: { ...checkpoint, at: '2031-01-01T00:00:00.000Z' } })
    const verdict = await verify(genuine.with(index, later))
    assert.ok(!verdict.sound && /signature/.test(verdict.because))
  }
})

test('holds an export against a checkpoint that was kept elsewhere', async () => {
  const kept = readCheckpoint(genuine.at(-2) ?? '')
  assert.is((await verify(genuine, { kept })).sound, true)
  const older = readCheckpoint(genuine.find((line) => read(line)['kind'] === 'checkpoint') ?? '')
  const foreign = { ...older, rootHash: hexOf(sha256('other')) }
  const verdict = await verify(genuine, { kept: foreign })
  assert.ok(!verdict.sound && verdict.to === older.size - 1)
  const end = genuine.findIndex((line) => read(line)['kind'] === 'checkpoint')
  const header = JSON.stringify({ ...read(genuine[0] ?? ''), size: older.size })
  const shorter = [header, ...genuine.slice(1, end + 1), JSON.stringify({ kind: 'end', entries: older.size })]
  assert.is((await verify(shorter)).sound, true)
  const found = await verify(shorter, { kept })
  assert.ok(!found.sound && found.from === older.size && /kept/.test(found.because))
})

test('reads back the hashes that it writes', () => {
  const bytes = sha256('x')
  assert.equal(bytesOf(hexOf(bytes)), new Uint8Array(bytes))
})

test.run()
