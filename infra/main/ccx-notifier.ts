import { serve } from './base.ts'
import { webhookPart } from './parts/webhooks.ts'

/** Tells others what happens: sends webhooks. */
await serve('ccx-notifier', [webhookPart])
