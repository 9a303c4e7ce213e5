import { serve } from './base.ts'
import { rotationPart } from './parts/access.ts'
import { auditPart } from './parts/audit.ts'
import { authServiceCalls, restCalls } from './parts/calls.ts'
import { controllerPart } from './parts/controller.ts'
import { deployerPart } from './parts/deployer.ts'
import { httpPart } from './parts/http.ts'
import { integrationPart } from './parts/integration.ts'
import { mailPart } from './parts/mail.ts'
import { noticesPart } from './parts/notices.ts'
import { projectorPart } from './parts/projector.ts'
import { runnerPart } from './parts/runner.ts'
import { webhookPart } from './parts/webhooks.ts'
import { windowPart } from './parts/window.ts'

/** Every service in one process, for a laptop, a test or a small site. */
await serve('all-in-one', [
  projectorPart,
  auditPart,
  integrationPart,
  deployerPart,
  controllerPart,
  runnerPart,
  rotationPart,
  windowPart,
  webhookPart,
  mailPart,
  noticesPart,
  httpPart({ serves: [...authServiceCalls, ...restCalls] }),
])
