import type { Command, Event } from '../domain/kernel/decider.ts'
import { Refused, type Request } from '../domain/kernel/endpoint.ts'
import type { Cause, EventStore, Position } from '../domain/kernel/event-store.ts'
import type { PersonalData } from '../domain/kernel/sealed.ts'
import type { Instant } from '../domain/kernel/time.ts'
import type { WebhookCommand } from '../domain/webhook/messages.ts'
import { webhook } from '../domain/webhook/webhook.ts'
import { answerOnce } from './answer-once.ts'
import { causeOf } from './cause.ts'
import { fold, handle, type Send } from './handle.ts'
import type { CheckTarget, Deliveries, SigningSecrets } from './webhook-ports.ts'

export type WebhookEndpoints = {
  readonly store: Pick<EventStore, 'read' | 'append'>
  readonly personal: PersonalData
  readonly secrets: SigningSecrets
  readonly checkTarget: CheckTarget
  readonly deliveries: Deliveries
  readonly now: () => Instant
  /** Of the span at work. */
  readonly traceparent: () => string | undefined
  /** Put around the sending of commands, to count and trace them. */
  readonly around?: <C extends Command, E extends Event, S, Code extends string>(
    send: Send<C, E, S, Code>,
  ) => Send<C, E, S, Code>
}

type Asked = Request<unknown, unknown, unknown>

export const streamOf = (webhookId: string): string => `webhook-${webhookId}`

export type WebhookTools = ReturnType<typeof webhookTools>

/** What every call about a webhook needs. */
export const webhookTools = ({ store, personal, traceparent, around = (send) => send }: WebhookEndpoints) => {
  const cause = (request: Asked, commandId: string) =>
    causeOf(request, commandId, { seal: personal.seal, traceparent: traceparent() })
  const sending = around(handle({ store }, webhook, ({ data }) => streamOf(data.webhookId)))
  return {
    cause,
    once: answerOnce({ store, personal, cause }),
    /** @throws Refused what the domain refuses */
    send: async (command: WebhookCommand, because: Cause): Promise<Position | undefined> => {
      const outcome = await sending(command, because)
      if ('rejection' in outcome) throw new Refused(outcome.rejection)
      return outcome.position
    },
    /**
     * Another's webhook does not exist for the one who asks.
     *
     * @throws Refused `webhook-not-found`
     */
    own: async (
      { principal: { ownerId } }: Asked,
      webhookId: string,
      { orDeleted = false } = {},
    ): Promise<{ readonly ownerId: string }> => {
      const { state } = await fold({ store }, webhook, streamOf(webhookId))
      const isThere = state.status === 'live' || (orDeleted && state.status === 'deleted')
      if (!isThere || state.organisationId !== ownerId) {
        throw new Refused({ rejected: 'webhook-not-found', because: `there is no webhook ${webhookId}` })
      }
      return { ownerId }
    },
  }
}
