import type { Instant } from '../../domain/kernel/time.ts'
import { exampleNodes, exampleSpec } from '../support/examples.ts'
import type { EventLog } from './stores.ts'

const BEGINNING_MS = Date.parse('2030-01-01T12:00:00.000Z')

/** @param ms since the beginning of the run */
export const instant = (ms: number): Instant => new Date(BEGINNING_MS + ms).toISOString()

export const DATASTORE = 'clu_1'

export type Wish = { readonly size: number; readonly synchronous: boolean; readonly prefer: 'consistency' | 'availability' }

/** A datastore that has been deployed, with its first node as the primary. */
export const deployed = (log: EventLog, { size, synchronous, prefer }: Wish): void => {
  const about = { datastoreId: DATASTORE, at: instant(0) }
  const chosen = { synchronous, prefer, repairAfterSeconds: 300, lagMaxBytes: 16_777_216 }
  const spec = { ...exampleSpec(size), highAvailability: chosen }
  const job = { jobId: 'deployment', kind: 'deploy-datastore' } as const
  log.begun([
    { type: 'DatastoreCreated', data: { ...about, spec, fingerprint: '' } },
    { type: 'JobQueued', data: { ...about, ...job, ownerId: spec.ownerId } },
    { type: 'JobAdmitted', data: { ...about, ...job, input: { datastoreId: DATASTORE, spec, nodes: [] } } },
    { type: 'DatastoreDeployed', data: { ...about, nodes: exampleNodes(size) } },
    { type: 'JobEnded', data: { ...about, ...job, end: 'finished', because: null } },
  ])
}
