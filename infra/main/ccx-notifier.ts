import { serve } from './base.ts'
import { mailPart } from './parts/mail.ts'
import { noticesPart } from './parts/notices.ts'
import { webhookPart } from './parts/webhooks.ts'

/** Tells others what happens: sends webhooks and mails. */
await serve('ccx-notifier', [webhookPart, mailPart, noticesPart])
