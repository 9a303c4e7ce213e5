import type { Send } from '../../../command-handlers/handle.ts'
import type { Command, Event } from '../../../domain/kernel/decider.ts'
import { carrierFrom, withCarrier } from '../../telemetry/tracing.ts'
import type { Metrics } from '../../telemetry/metrics.ts'

/** The same sending, counted by type and outcome, and seen in the trace of what caused it. */
export const counted =
  <C extends Command, E extends Event, S, Code extends string>(
    metrics: Metrics,
    send: Send<C, E, S, Code>,
  ): Send<C, E, S, Code> =>
  (command, cause) => {
    const attributes = { 'ccx.correlation': cause.correlationId }
    return withCarrier(carrierFrom(cause), `command ${command.type}`, attributes, async () => {
      const began = performance.now()
      const handled = await send(command, cause)
      const outcome = 'rejection' in handled ? handled.rejection.rejected : handled.events.length > 0 ? 'accepted' : 'unchanged'
      metrics.command(command.type, outcome, (performance.now() - began) / 1_000)
      return handled
    })
  }
