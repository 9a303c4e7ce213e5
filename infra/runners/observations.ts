import { v5 } from 'uuid'
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
    if (observation.kind !== 'disk-usage') return
    const { datastoreId, ownerId: organisationId, at: observedAt, volumes } = observation
    const observationId = observationIdOf(observation)
    const commandId = v5(`command:${observationId}`, NAMESPACE)
    const jobId = v5(`job:${observationId}`, NAMESPACE)
    const parent = traceparent() ?? carrier['traceparent']
    const cause: Cause = {
      commandId, correlationId: commandId, causationId: observationId, organisationId, actor: ACTOR,
      ...(parent === undefined ? {} : { traceparent: parent }),
    }
    await sendDatastore({ type: 'ReportDiskUsage', data: { datastoreId, jobId, observedAt, volumes, now: now() } }, cause)
  })

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
