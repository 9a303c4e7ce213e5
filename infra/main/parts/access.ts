import type { AccessEndpoints } from '../../../command-handlers/access-tools.ts'
import { databaseEndpoints } from '../../../command-handlers/databases.ts'
import { databaseUserEndpoints } from '../../../command-handlers/database-users.ts'
import { handle } from '../../../command-handlers/handle.ts'
import { datastore } from '../../../domain/datastore/datastore.ts'
import type { Endpoint } from '../../../domain/kernel/endpoint.ts'
import type { PersonalData } from '../../../domain/kernel/sealed.ts'
import { projections } from '../../../projections/index.ts'
import { READ_SCHEMA } from '../../../projections/schema.ts'
import { connections } from '../../../read-api/connections.ts'
import { databases } from '../../../read-api/databases.ts'
import type { Observe } from '../../../read-api/inhabitants.ts'
import { sagas } from '../../../sagas/index.ts'
import { readCatalogue } from '../../catalogue/read-catalogue.ts'
import { INHABITANTS, InhabitantsAnswer } from '../../controller/inhabitants.ts'
import { engines } from '../../engines/index.ts'
import type { Questions } from '../../messaging/questions.ts'
import { ensureTables } from '../../read-store/tables.ts'
import { followRotations } from '../../runners/rotations.ts'
import type { Log } from '../../telemetry/logger.ts'
import { traceparent } from '../../telemetry/tracing.ts'
import type { Base, Part } from '../base.ts'
import { counted } from './counted.ts'
import { historyOf } from './history.ts'

const ASK_TIMEOUT_MS = 4_000
const ROTATIONS_INTERVAL_MS = 5_000

/** Asks the controller, and does without where it does not answer. */
const observing =
  (questions: Questions, { open }: Pick<PersonalData, 'open'>, log: Log): Observe =>
  async (datastoreId) => {
    try {
      const told = await questions.ask(INHABITANTS, { datastoreId }, ASK_TIMEOUT_MS)
      const { databases: found, users } = InhabitantsAnswer.parse(told)
      const ofUsers = users.flatMap(({ name, grants }) => [name, grants])
      const sealed = [...found.flatMap(({ name, owner }) => [name, owner]), ...ofUsers]
      const texts = await open(sealed)
      const plain = new Map(sealed.map((token, n) => [token, texts[n] ?? '']))
      const opened = (token: string): string => plain.get(token) ?? ''
      return {
        databases: found.map((one) => ({ ...one, name: opened(one.name), owner: opened(one.owner) })),
        users: users.map((one) => ({ ...one, name: opened(one.name), grants: opened(one.grants) })),
      }
    } catch (err) {
      log.warn({ datastoreId, err }, 'a datastore could not be asked for its databases and users')
      return undefined
    }
  }

/** The calls about databases and users, and how to connect to them. */
export const accessCalls = async (base: Base): Promise<readonly Endpoint[]> => {
  const { config, log, metrics, now, store, ccxDb, questions } = base
  const personal = await base.personal()
  const secrets = await base.secrets()
  const catalogue = readCatalogue(config.catalogueFile)
  const observe = observing(questions(), personal, log)
  const { domain, ttlSeconds } = config.dns
  const options: AccessEndpoints = {
    store: store(), catalogue, sagas, domain, ttlSeconds, now, personal, traceparent, vault: secrets, observe,
    around: (send) => counted(metrics, send),
  }
  const db = ccxDb().db.withSchema(READ_SCHEMA)
  return [
    ...databaseEndpoints(options),
    ...databaseUserEndpoints(options),
    ...databases({ db, personal, history: await historyOf(base), observe }),
    connections({
      db,
      personal,
      catalogue,
      connections: (engine, target) => engines.find(({ name }) => name === engine)?.connections(target) ?? [],
      openPassword: ({ ownerId, datastoreId, vaultId }) =>
        secrets.open({ ownerId, subjectId: datastoreId, name: vaultId ?? 'admin-password' }),
    }),
  ]
}

/** Ends logins whose time is up. */
export const rotationPart = async ({ store, ccxDb, metrics, now, signal, log }: Base): Promise<Part> => {
  const events = store()
  const { db, pool } = ccxDb()
  await ensureTables(pool, { schema: READ_SCHEMA, projections })
  const send = counted(metrics, handle({ store: events }, datastore, ({ data }) => `datastore-${data.datastoreId}`))
  const onError = (err: unknown) => log.warn({ err }, 'logins whose time is up could not be ended')
  const ended = followRotations(
    { store: events, db: db.withSchema(READ_SCHEMA), send, now },
    { signal, intervalMs: ROTATIONS_INTERVAL_MS, onError },
  )
  return { checks: { ccxDb: () => pool.query('select 1') }, ended }
}
