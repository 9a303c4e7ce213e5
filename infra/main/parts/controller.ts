import { randomUUID } from 'node:crypto'
import { readCatalogue } from '../../catalogue/read-catalogue.ts'
import { required } from '../../config.ts'
import { controllerStore } from '../../controller-store/mysql.ts'
import { systemClock } from '../../controller/clock.ts'
import { controller } from '../../controller/controller.ts'
import { diskReports } from '../../controller/disk-reports.ts'
import { INHABITANTS, inhabitantsOf } from '../../controller/inhabitants.ts'
import { nodes } from '../../controller/nodes.ts'
import { watch } from '../../controller/watch.ts'
import { engines } from '../../engines/index.ts'
import { observationIdOf } from '../../messaging/ids.ts'
import { workOn } from '../../messaging/worker.ts'
import { carrierOf } from '../../telemetry/tracing.ts'
import type { Base, Part } from '../base.ts'
import { providersOf } from './machines.ts'
import { neighbours } from './neighbours.ts'
import { checkOffered } from './offered.ts'

/** Carries out the orders on database nodes, and watches every datastore. */
export const controllerPart = async ({
  config, log, metrics, signal, now, messaging, questions, secrets, personal,
}: Base): Promise<Part> => {
  checkOffered(readCatalogue(config.catalogueFile), 'engine', engines.map(({ name }) => name))
  const store = controllerStore({ url: required(config.cmonDbUrl, 'CMON_DB_URL') })
  await store.migrate()
  const broker = await messaging()
  const providers = providersOf(config)
  const handle = controller({ engines, providers, store, secrets: await secrets(), personal: await personal(), log, now })
  const working = workOn({
    messaging: broker, family: 'cmon', concurrency: config.workerConcurrency, signal, handle, now, log, metrics,
  })
  const reports = diskReports(broker)
  const watching = watch({
    controllerId: `${config.instance}-${randomUUID()}`, neighbours: neighbours(),
    nodes: nodes({ engines, providers }), store, log, metrics, signal, diskReports: reports,
    limits: config.watch,
    clock: systemClock,
    observe: (observation) => broker.observe(observation, observationIdOf(observation), carrierOf()),
  })
  await questions().serve(INHABITANTS, inhabitantsOf({ engines, providers, store, personal: await personal() }))
  const ended = Promise.all([working, watching]).finally(store.close)
  return { checks: { nats: broker.ping, cmonDb: store.ping }, ended }
}
