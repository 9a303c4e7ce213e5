import { serve } from './base.ts'
import { mailPart } from './parts/mail.ts'
import { webhookPart } from './parts/webhooks.ts'

/** Tells others what happens: sends webhooks and mails. */
await serve('ccx-notifier', [webhookPart, mailPart])
