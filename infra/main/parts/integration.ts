import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type EventStreamPlace, integrationEndpoints } from '../../../command-handlers/integration.ts'
import type { Endpoint } from '../../../domain/kernel/endpoint.ts'
import { projections } from '../../../projections/index.ts'
import { READ_SCHEMA } from '../../../projections/schema.ts'
import type { Config } from '../../config.ts'
import { copyPublicEvents, integrationStream } from '../../integration/copier.ts'
import { feedTail } from '../../read-store/feed-tail.ts'
import { ensureTables } from '../../read-store/tables.ts'
import { traceparent } from '../../telemetry/tracing.ts'
import type { Base, Part } from '../base.ts'
import { counted } from './counted.ts'

/** Where integrators reach the event store, and by whose certificate they know it. */
const placeOf = ({ eventStore, eventStoreUrl }: Config): EventStreamPlace => {
  const own = new URL(eventStoreUrl)
  const { protocol, host } = new URL(eventStore.publicUrl ?? eventStoreUrl)
  const caFile = [...own.searchParams].find(([name]) => name.toLowerCase() === 'tlscafile')?.[1]
  return { scheme: protocol, host, authorityPem: caFile === undefined ? null : readFileSync(caFile, 'utf8') }
}

/** The calls about the stream of an organisation's public events. */
export const integrationCalls = async (base: Base): Promise<readonly Endpoint[]> => {
  const { config, metrics, now, store, storeUsers, personal } = base
  return integrationEndpoints({
    store: store(),
    users: storeUsers(),
    personal: await personal(),
    streamOf: integrationStream,
    place: placeOf(config),
    newPassword: () => randomBytes(24).toString('base64url'),
    now,
    traceparent,
    around: (send) => counted(metrics, send),
  })
}

/** Writes the streams of public events. */
export const integrationPart = async (base: Base): Promise<Part> => {
  const { config, log, signal, store, ccxDb, readPosition } = base
  const events = store()
  const { db, pool } = ccxDb()
  await ensureTables(pool, { schema: READ_SCHEMA, projections })
  const onError = (err: unknown) => log.warn({ err }, 'the feed cannot be looked at')
  const tail = feedTail({ db, position: readPosition(), onError })
  const read = db.withSchema(READ_SCHEMA)
  const ended = copyPublicEvents({ store: events, db: read, tail, publicUrl: config.http.publicUrl, signal, log })
  return { checks: { eventStore: events.ping, ccxDb: () => pool.query('select 1') }, ended }
}
