import type { NewEvent } from '../../domain/kernel/event-store.ts'
import { verifyLines } from '../../infra/audit/read-export.ts'
import { sha256 } from '../../infra/audit/sha256.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { exportOf } from '../../read-api/audit/export.ts'
import { auditDb } from '../../read-api/audit/index.ts'
import { consistencyProof, inclusionProofs } from '../../read-api/audit/tree.ts'
import { newSigningKey, startAudit } from '../support/audit.ts'
import { randomHistory } from '../support/history.ts'
import { openPersonalData } from '../support/personal-data.ts'
import { startPostgres } from '../support/postgres.ts'
import { emptyReadStore } from '../support/read-store.ts'
import { latency, report, startEventStore, timed } from './measure.ts'

// How fast the trail takes in a log that is there; then, on one organisation's trail, proofs, an export and its check.
const EVENTS_PER_SECOND_MIN = 10_000
const SEEDS = [1, 2, 3]
const PROOFS = 200
const ORGANISATION = '0a000000-0000-4000-8000-000000000001'

const events = await startEventStore()
const server = await startPostgres()
const store = esdbEventStore({ connectionString: events.url })
const owned = (event: NewEvent): NewEvent => ({ ...event, metadata: { ...event.metadata, organisationId: ORGANISATION } })
const revisions = new Map<string, bigint>()
let count = 0
for (const { stream, events: some } of SEEDS.flatMap((seed) => randomHistory(seed, { datastores: 250, moves: 40_000 }))) {
  const { revision } = await store.append(stream, some.map(owned), { expected: revisions.get(stream) ?? 'absent' })
  revisions.set(stream, revision)
  count += some.length
}

const readStore = await emptyReadStore(server.url, 'audit_bench')
const key = newSigningKey()
const began = performance.now()
const audit = await startAudit(store, readStore, { key })
await audit.settled()
const rate = (count / (performance.now() - began)) * 1_000
report(`trail catches up and signs (${count} events)`, `${rate.toFixed(0)} events/s`, {
  ok: rate >= EVENTS_PER_SECOND_MIN,
  text: `≥ ${EVENTS_PER_SECOND_MIN} events/s`,
})
await audit.stop()

const queries = { db: auditDb(readStore.db), personal: openPersonalData, sha256, waitFor: async () => true }
const inclusionMs: number[] = []
const consistencyMs: number[] = []
for (let n = 0; n < PROOFS; n++) {
  const place = Math.floor((n * count) / PROOFS)
  const [organisation, size] = [ORGANISATION, count]
  inclusionMs.push(await timed(() => inclusionProofs(queries, { organisation, size, places: [place] })))
  consistencyMs.push(await timed(() => consistencyProof(queries, { organisation, from: place + 1, to: size })))
}
report(`proof of inclusion (${PROOFS})`, latency(inclusionMs))
report(`proof of consistency (${PROOFS})`, latency(consistencyMs))

const principal = { isAdmin: false, ownerId: ORGANISATION }
const lines: string[] = []
const exportMs = await timed(async () => {
  const whole = { ...queries, organisation: ORGANISATION, filter: {}, principal, signal: { aborted: false } }
  for await (const chunk of (await exportOf(whole, 'json')).chunks) lines.push(...chunk.trimEnd().split('\n'))
})
report('export', `${((count / exportMs) * 1_000).toFixed(0)} entries/s`)
let isSound = false
const verifyMs = await timed(async () => {
  isSound = (await verifyLines(lines, { publicKeys: [key.publicKey] })).sound
})
report('verification of the export', `${((count / verifyMs) * 1_000).toFixed(0)} entries/s`, { ok: isSound, text: 'it is sound' })

await readStore.close()
await store.close()
await server.stop()
await events.stop()
