import { v5 } from 'uuid'
import { nodesOf } from '../../command-handlers/ids.ts'
import type { DatastoreCommand } from '../../domain/datastore/messages.ts'
import type { Cause } from '../../domain/kernel/event-store.ts'
import { held } from '../messaging/held.ts'
import { observationIdOf } from '../messaging/ids.ts'
import type { Carrier, Delivered, Messaging } from '../messaging/messaging.ts'
import type { Observation } from '../messaging/observation.ts'
import { traceparent, withCarrier } from '../telemetry/tracing.ts'
import type { Reactor } from './reactions.ts'
import type { RunnerLog } from './runner.ts'

const NAMESPACE = '8f2f5d0b-2f0f-4f0f-8a3c-6f1b7f6f2a10'
const ACTOR = { kind: 'system', id: 'ccx-runner-service' } as const
const RETRY_MS = 2_000

/** Turns what was seen into a command on the datastore, whose own it is to tell whether anything follows. Safe to repeat. */
const report = async (
  { sendDatastore, now }: Pick<Reactor, 'sendDatastore' | 'now'>,
  observation: Observation,
  carrier: Carrier,
): Promise<void> =>
  withCarrier(carrier, `observe ${observation.kind}`, { 'ccx.datastore': observation.datastoreId }, async () => {
    const { ownerId: organisationId } = observation
    const observationId = observationIdOf(observation)
    const commandId = v5(`command:${observationId}`, NAMESPACE)
    const parent = traceparent() ?? carrier['traceparent']
    const cause: Cause = {
      commandId, correlationId: commandId, causationId: observationId, organisationId, actor: ACTOR,
      ...(parent === undefined ? {} : { traceparent: parent }),
    }
    await sendDatastore(commandOf(observation, observationId, now()), cause)
  })

/** What an observation says to the datastore. The ids of whatever may follow from it derive from the observation's. */
const commandOf = (observation: Observation, observationId: string, now: string): DatastoreCommand => {
  const { datastoreId, at: observedAt } = observation
  const about = { datastoreId, jobId: v5(`job:${observationId}`, NAMESPACE), observedAt, now }
  switch (observation.kind) {
    case 'disk-usage':
      return { type: 'ReportDiskUsage', data: { ...about, volumes: observation.volumes } }
    case 'primary-unreachable': {
      const { primaryId, epoch, lastSeenAt, because, positionBytes } = observation
      return { type: 'ReportPrimaryUnreachable', data: { ...about, primaryId, epoch, lastSeenAt, because, positionBytes } }
    }
    case 'node-silent': {
      const { nodeId, since, machineAnswers } = observation
      const [fresh] = nodesOf(observationId, 1)
      if (fresh === undefined) throw new Error('BUG: a node was asked for')
      return { type: 'ReportNodeSilent', data: { ...about, nodeId, since, machineAnswers, fresh } }
    }
    case 'node-back':
      return { type: 'ReportNodeBack', data: { ...about, nodeId: observation.nodeId } }
    case 'node-well':
      return { type: 'ReportNodeWell', data: { ...about, nodeId: observation.nodeId } }
    case 'server-restarted': {
      const { nodeId, role, downSince, backAt } = observation
      return { type: 'RecordServerRestart', data: { datastoreId, nodeId, role, downSince, backAt, now } }
    }
  }
}

/** Takes observations until `signal`. A look that nothing can be made of now comes again, or has a newer one behind it. */
export const followObservations = async ({ reactor, log, concurrency, signal }: {
  readonly reactor: Pick<Reactor, 'sendDatastore' | 'now'> & { readonly messaging: Messaging }
  readonly log: RunnerLog
  readonly concurrency: number
  readonly signal: AbortSignal
}): Promise<void> => {
  const { messaging } = reactor
  const atWork = new Set<Promise<void>>()
  const take = async ({ message, carrier, ack, nak }: Delivered<Observation>): Promise<void> => {
    try {
      await report(reactor, message, carrier)
      await ack()
    } catch (err) {
      log.warn({ err, datastoreId: message.datastoreId }, 'what was seen could not be reported')
      await nak(RETRY_MS)
    }
  }
  for await (const delivered of messaging.observations({ concurrency, signal })) {
    const taken = held(messaging, delivered, () => take(delivered)).catch((err: unknown) =>
      // It comes again once its time has run out.
      log.warn({ err }, 'an observation could not be handed back'),
    )
    atWork.add(taken)
    void taken.finally(() => atWork.delete(taken))
  }
  await Promise.all(atWork)
  if (!signal.aborted) throw new Error('no more observations can be taken: the connection to the broker is closed')
}
