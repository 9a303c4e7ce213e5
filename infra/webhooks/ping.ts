/** The event that a webhook is tried out with. It is in no feed. */
export const pingOf = (
  { webhook_id: webhookId, organisation_id: organisationId }:
    { readonly webhook_id: string; readonly organisation_id: string },
  { id, at, publicUrl }: { readonly id: string; readonly at: string; readonly publicUrl: string },
) => ({
  specversion: '1.0',
  id,
  source: `${publicUrl}/organisations/${organisationId}`,
  type: 'dev.ccx.webhook.ping.v1',
  subject: `webhooks/${webhookId}`,
  time: at,
  datacontenttype: 'application/json',
  data: { webhookId },
}) as const
