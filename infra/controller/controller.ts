import type { OrderResult, OrderSubject, PlacedOrder } from '../../domain/job/orders.ts'
import type { PersonalData } from '../../domain/kernel/sealed.ts'
import type { AlarmKey, ControllerStore } from '../controller-store/controller-store.ts'
import { CannotServe, type Engine } from '../engines/engine.ts'
import { Failure, type Handle } from '../messaging/worker.ts'
import type { Provider } from '../providers/provider.ts'
import type { Secrets } from '../secrets/secrets.ts'
import type { Log } from '../telemetry/logger.ts'
import { carryOut } from './commands.ts'
import { credentials } from './credentials.ts'
import { nodes } from './nodes.ts'

export type ControllerOptions = {
  readonly engines: readonly Engine[]
  readonly providers: readonly Provider[]
  readonly store: ControllerStore
  readonly secrets: Secrets
  /** Opens the names of databases and users. */
  readonly personal: Pick<PersonalData, 'open'>
  readonly log: Log
  readonly now?: () => string
}

/**
 * What handles the orders under `cmon.`. The journal comes first: an order that has ended is answered from it and not
 * carried out again; one that has only begun is, because every command may be repeated.
 */
export const controller = ({
  engines,
  providers,
  store,
  secrets,
  personal,
  log,
  now = () => new Date().toISOString(),
}: ControllerOptions): Handle => {
  const kept = credentials(secrets)
  const parts = { nodes: nodes({ engines, providers }), credentials: kept, personal, store, now }

  return async (order, { signal, note, progress }) => {
    const entry = await store.ended(order.orderId)
    if (entry?.status === 'FINISHED') return entry.result
    if (entry?.status === 'FAILED') throw new Failure(entry.because, { final: entry.final })
    await store.begin(order, now())
    const lines = journalLines({ store, log, now }, order)
    try {
      const result = await carryOut(parts, order, {
        signal,
        progress,
        note: (line) => {
          lines.add(line)
          note(line)
        },
      })
      await lines.kept()
      return await succeeded(parts, order, result)
    } catch (cause) {
      await lines.kept()
      // The worker goes, or the order's time is up: nothing is known about how it would have ended.
      if (signal.aborted) throw cause
      throw await failed(parts, order, cause)
    }
  }
}

type Journal = { readonly store: ControllerStore; readonly now: () => string }

const succeeded = async ({ store, now }: Journal, order: PlacedOrder, result: OrderResult): Promise<OrderResult> => {
  await Promise.all([
    store.end(order.orderId, { status: 'FINISHED', result }, now()),
    store.clear(alarmKey(order), now()),
  ])
  return result
}

const failed = async ({ store, now }: Journal, order: PlacedOrder, cause: unknown): Promise<Failure> => {
  const failure = failureOf(order, cause)
  const { because, final } = failure
  await store.end(order.orderId, { status: 'FAILED', because, final }, now())
  await store.raise(
    { ...alarmKey(order), component: 'Cluster', severity: 'ALARM_WARNING', title: 'Command failed', message: because },
    now(),
  )
  return failure
}

const alarmKey = (order: PlacedOrder): AlarmKey => ({
  datastoreId: order.datastoreId,
  nodeId: nodeOf(order) ?? '',
  typeName: 'CommandFailed',
  subject: order.order.subject,
})

const nodeOf = ({ order: { body } }: PlacedOrder): string | undefined => ('nodeId' in body ? body.nodeId : undefined)

/** Lines go to the journal in their order, beside the work; one that is lost does not fail it. */
const journalLines = ({ store, log, now }: Journal & { readonly log: Log }, { orderId, jobId }: PlacedOrder) => {
  let last: Promise<void> = Promise.resolve()
  return {
    add: (line: string): void => {
      const at = now()
      last = last
        .then(() => store.logLine(orderId, line, at))
        .catch((err: unknown) => log.warn({ orderId, jobId, err }, 'a line of the job log was lost'))
    },
    kept: (): Promise<void> => last,
  }
}

const WORDS: Readonly<Partial<Record<OrderSubject, string>>> = {
  'cmon.register-cluster': 'The datastore could not be registered',
  'cmon.forget-cluster': 'The datastore could not be removed from the controller',
  'cmon.install-node': 'The database software could not be set up',
  'cmon.bootstrap-primary': 'The primary could not be started',
  'cmon.join-replica': 'The replica could not be joined',
  'cmon.configure-node': 'The list of members could not be changed',
  'cmon.apply-parameters': 'The parameters could not be applied',
  'cmon.set-trusted': 'The trusted sources could not be set',
  'cmon.create-account': 'The database user could not be created',
  'cmon.set-admin': "The administrator's password could not be changed",
  'cmon.put-database': 'The database could not be created',
  'cmon.unmake-database': 'The database could not be taken back',
  'cmon.close-database': 'The database could not be closed',
  'cmon.open-database': 'The database could not be opened again',
  'cmon.drop-database': 'The database could not be dropped',
  'cmon.put-user': 'The user could not be set up',
  'cmon.unmake-user': 'The user could not be taken back',
  'cmon.drop-user': 'The user could not be deleted',
  'cmon.catch-up': 'The replica could not be made ready for its promotion',
  'cmon.promote-replica': 'The replica could not be promoted',
  'cmon.follow-primary': 'The former primary could not be made a replica',
  'cmon.restart-node': 'The database server could not be restarted',
  'cmon.check-cluster': 'The datastore could not be checked',
  'cmon.stop-node': 'The database server could not be stopped',
  'cmon.start-node': 'The database server could not be started',
  'cmon.end-writers': 'What was being written could not be ended',
  'cmon.erase-node': "The node's data could not be removed",
  'cmon.fence-node': 'The lost primary could not be fenced',
  'cmon.unfence-node': 'The former primary could not be brought back',
  'cmon.elect-primary': 'No new primary could be chosen',
  'cmon.rejoin-node': 'The node could not be made a replica again',
}

/** What a tenant is told. Only words that were meant for him pass; the cause stays for the log. */
const failureOf = (order: PlacedOrder, cause: unknown): Failure => {
  if (cause instanceof Failure) return cause
  const { body, subject } = order.order
  const nodeId = nodeOf(order)
  const name = 'cluster' in body ? body.cluster.nodes.find((node) => node.nodeId === nodeId)?.name : undefined
  const what = `${WORDS[subject] ?? 'The order failed'}${name === undefined ? '' : ` on ${name}`}`
  return cause instanceof CannotServe
    ? new Failure(`${what}: ${cause.message}.`, { final: true, cause })
    : new Failure(`${what}.`, { cause })
}
