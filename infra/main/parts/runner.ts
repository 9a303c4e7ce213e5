import { setTimeout as pause } from 'node:timers/promises'
import { handle } from '../../../command-handlers/handle.ts'
import { datastore } from '../../../domain/datastore/datastore.ts'
import { job } from '../../../domain/job/job.ts'
import { sagas } from '../../../sagas/index.ts'
import { keepStoreRules } from '../../event-store/store-rules.ts'
import { CHECKPOINT_STREAM } from '../../runners/checkpoint.ts'
import { runner } from '../../runners/runner.ts'
import type { Base, Part } from '../base.ts'
import { counted } from './counted.ts'

const READY_WITHIN_MS = 60_000

/** Runs the jobs. */
export const runnerPart = async ({ config, log, metrics, signal, now, store, storeUsers, messaging }: Base): Promise<Part> => {
  const events = store()
  const broker = await messaging()
  const rules = keepStoreRules({ users: storeUsers(), keepLast: [CHECKPOINT_STREAM], signal, log })
  const { ready, ended } = runner({
    store: events,
    messaging: broker,
    sendJob: counted(metrics, handle({ store: events }, job(sagas), ({ data }) => `job-${data.jobId}`)),
    sendDatastore: counted(metrics, handle({ store: events }, datastore, ({ data }) => `datastore-${data.datastoreId}`)),
    now,
    log,
    metrics,
    concurrency: config.workerConcurrency,
    signal,
  })
  // A store that is away for long makes the service start anew, not wait for ever.
  await Promise.race([ready, ended, pause(READY_WITHIN_MS, undefined, { ref: false })])
  return { checks: { eventStore: events.ping, nats: broker.ping }, ended: Promise.all([ended, rules]) }
}
