import { Refused, type Request } from '../domain/kernel/endpoint.ts'
import type { Cause, Position } from '../domain/kernel/event-store.ts'
import type { WebhookCommand } from '../domain/webhook/messages.ts'
import { webhook } from '../domain/webhook/webhook.ts'
import { fold, handle } from './handle.ts'
import { asking, type Sending } from './sending.ts'
import type { CheckTarget, Deliveries, SigningSecrets } from './webhook-ports.ts'

export type WebhookEndpoints = Sending & {
  readonly secrets: SigningSecrets
  readonly checkTarget: CheckTarget
  readonly deliveries: Deliveries
}

type Asked = Request<unknown, unknown, unknown>

export const streamOf = (webhookId: string): string => `webhook-${webhookId}`

export type WebhookTools = ReturnType<typeof webhookTools>

/** What every call about a webhook needs. */
export const webhookTools = (options: WebhookEndpoints) => {
  const { store, around = (send) => send } = options
  const sending = around(handle({ store }, webhook, ({ data }) => streamOf(data.webhookId)))
  return {
    ...asking(options),
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
