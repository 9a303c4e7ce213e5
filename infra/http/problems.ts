import { ZodError, type core } from 'zod'
import type { AdmissionRejection } from '../../command-handlers/admission.ts'
import type { ErasureRejection } from '../../command-handlers/auth/erase.ts'
import type { AuthRejection } from '../../command-handlers/auth/refusals.ts'
import type { IdempotencyRejection } from '../../command-handlers/answer-once.ts'
import type { IntegrationRejection } from '../../command-handlers/integration.ts'
import type { OrganisationEdgeRejection } from '../../command-handlers/organisations/tools.ts'
import type { UpgradeRejection } from '../../command-handlers/upgrade.ts'
import type { WebhookEdgeRejection } from '../../command-handlers/webhook-ports.ts'
import type { AccessRejection } from '../../command-handlers/access-tools.ts'
import type { AccountRejection } from '../../domain/account/account.ts'
import type { DatastoreRejection } from '../../domain/datastore/messages.ts'
import type { PlanRejection } from '../../domain/datastore/plan.ts'
import type { JobRejection } from '../../domain/job/messages.ts'
import { Malformed, Refused } from '../../domain/kernel/endpoint.ts'
import { RevisionConflict } from '../../domain/kernel/event-store.ts'
import type { OrganisationRejection } from '../../domain/organisation/messages.ts'
import type { WebhookRejection } from '../../domain/webhook/messages.ts'
import type { TargetRejection } from '../webhooks/targets.ts'
import { firewallProblems } from './firewall-problems.ts'
import { parameterProblems } from './parameter-problems.ts'

/** What the edge itself refuses, before any command is decided. */
export type EdgeRejection =
  | 'basic-required'
  | 'body-too-large'
  | 'cross-site'
  | 'forbidden'
  | 'internal'
  | 'malformed-body'
  | 'malformed-header'
  | 'malformed-request'
  | 'method-not-allowed'
  | 'not-found'
  | 'not-settled'
  | 'timed-out'
  | 'too-many-requests'
  | 'unauthenticated'
  | 'unsupported-encoding'

/** What a query refuses. */
export type QueryRejection = 'datastore-not-deployed' | 'instant-not-reached' | 'not-in-trail' | 'unknown-field'

export type ProblemCode =
  | AdmissionRejection
  | AccountRejection
  | UpgradeRejection
  | AccessRejection
  | AuthRejection
  | DatastoreRejection
  | EdgeRejection
  | ErasureRejection
  | IdempotencyRejection
  | IntegrationRejection
  | JobRejection
  | OrganisationEdgeRejection
  | OrganisationRejection
  | keyof typeof parameterProblems
  | PlanRejection
  | QueryRejection
  | TargetRejection
  | WebhookEdgeRejection
  | WebhookRejection

export type Kind = { readonly status: number; readonly means: string }

/** Every refusal's status and meaning. A code without an entry does not compile. */
export const problems: Readonly<Record<ProblemCode, Kind>> = {
  'account-erased': { status: 409, means: 'The account is erased: its key is destroyed, and it is never opened again.' },
  'account-not-found': { status: 404, means: 'There is no such account.' },
  'account-not-suspended': { status: 400, means: 'The user is not suspended.' },
  'already-member': { status: 409, means: 'The one who accepts an invitation is a member already.' },
  'invitation-limit-reached': { status: 409, means: 'The organisation has as many open invitations as it may have.' },
  'invitation-not-found': { status: 404, means: 'There is no such invitation, or it holds no more.' },
  'last-owner': { status: 409, means: 'The organisation would be without an owner.' },
  'member-limit-reached': { status: 409, means: 'The organisation has as many members as it may have.' },
  'member-not-found': { status: 404, means: 'The organisation has no such member.' },
  'organisation-not-found': { status: 404, means: 'There is no such organisation, or it is not yours.' },
  'organisation-limit-reached': { status: 409, means: 'The user is a member of as many organisations as one may be.' },
  'role-too-high': { status: 403, means: 'Nobody gives or takes a role that is more than his own.' },
  'basic-required': { status: 401, means: 'This call is for the machine account of operators, by HTTP Basic.' },
  'admission-stopped': { status: 409, means: 'The operators take no new jobs at present. The message says why and since when.' },
  'body-too-large': { status: 413, means: 'The request has more than 1 MiB.' },
  'client-not-found': { status: 404, means: 'The account has no such OAuth2 client.' },
  ...firewallProblems,
  ...parameterProblems,
  'cross-site': { status: 403, means: 'The request comes from a page of another site. `ALLOWED_ORIGINS` names those that may.' },
  'cursor-ahead': { status: 422, means: 'A replay goes back. The webhook has not come so far yet.' },
  'access-unknown': {
    status: 409,
    means: 'The datastore could not be asked which databases and users it has. Nothing was done; try again.',
  },
  'change-failed': { status: 409, means: 'The job ended without success, and all of it is undone. The message says why.' },
  'database-exists': { status: 409, means: 'The datastore has a database of this name already.' },
  'database-not-found': { status: 404, means: 'The datastore has no such database.' },
  'datastore-not-deployed': { status: 409, means: 'The datastore is not deployed yet, or never will be.' },
  'datastore-not-running': {
    status: 409,
    means: 'The datastore was never deployed, or is being deleted: nothing can be changed.',
  },
  'datastore-not-found': { status: 404, means: 'There is no such datastore, or it belongs to another.' },
  'dead-letter-not-found': { status: 404, means: 'There is no such dead letter.' },
  'email-not-verified': {
    status: 402,
    means: 'The e-mail address is to be confirmed first. `POST /api/auth/confirm-request` sends the mail again.',
  },
  'event-stream-not-open': { status: 404, means: 'The organisation has no credentials for the stream of its events.' },
  'event-stream-unavailable': {
    status: 409,
    means: 'The event store of this installation does not keep its streams apart, so none is opened.',
  },
  'expiry-in-the-past': { status: 400, means: 'An expiry must lie in the future.' },
  forbidden: { status: 403, means: 'The one who asks may not do this.' },
  'idempotency-key-reused': { status: 422, means: 'The idempotency key was used for another request.' },
  'instant-not-reached': {
    status: 400,
    means: 'The instant lies in the future, or the position beyond the end of the log. The message says where that is.',
  },
  internal: {
    status: 500,
    means: 'The request could not be carried out. The fault is ours; the request id finds it in the log.',
  },
  'invalid-credentials': { status: 401, means: 'The login or the password is wrong.' },
  'invalid-jwt': { status: 401, means: 'The token of the issuer does not hold, or holds no more.' },
  'issuer-unreachable': { status: 503, means: 'The keys of the issuer cannot be had at the moment. Try again.' },
  'job-not-found': { status: 404, means: 'There is no such job.' },
  'job-not-over': { status: 409, means: 'The job waits or is at work: only one that came to nothing is asked for again.' },
  'job-not-retriable': { status: 409, means: 'The job did what it was to do, or the datastore has gone another way since.' },
  'job-past-return': { status: 409, means: 'The job has gone too far to be cancelled; it will be carried to its end.' },
  'login-taken': { status: 409, means: 'The login is taken.' },
  'malformed-body': {
    status: 400,
    means: 'The body is not JSON, or holds what no text may hold. The message names the place.',
  },
  'malformed-cursor': { status: 400, means: 'This is no cursor of the feed.' },
  'malformed-filter': { status: 400, means: 'A filter has not its form, or there are too many. The message names the first.' },
  'malformed-header': { status: 400, means: 'A header does not have its form. The message names it.' },
  'malformed-idempotency-key': { status: 400, means: 'An idempotency key has 1 to 255 visible ASCII characters.' },
  'malformed-name': { status: 400, means: 'The name is empty or too long.' },
  'malformed-password': {
    status: 400,
    means: 'The password is too short, too long, too easily guessed, or holds what it may not. The message says which.',
  },
  'malformed-request': { status: 400, means: 'A field is missing or of the wrong type or form. `field` names it.' },
  'malformed-scope': { status: 400, means: 'It is not said whose jobs are meant, or twice.' },
  'malformed-tags': { status: 400, means: 'The tags are too many, too long, empty or repeated.' },
  'method-not-allowed': {
    status: 405,
    means: 'The path exists, but not with this method. The header Allow lists those it has.',
  },
  'nothing-to-upgrade': { status: 409, means: 'Every node was built from the newest image and software.' },
  'no-node-left': { status: 409, means: 'A datastore keeps at least one node.' },
  'node-is-primary': { status: 409, means: 'The node is the primary already, and is removed only once another one is.' },
  'node-limit-reached': { status: 409, means: 'The datastore would have more nodes than the catalogue allows.' },
  'name-protected': { status: 403, means: 'The database or user belongs to the system and is not removed.' },
  'node-not-found': { status: 404, means: 'The datastore has no such node.' },
  'no-password': { status: 409, means: 'The account has no password: it signs in by way of an issuer of tokens.' },
  'not-found': { status: 404, means: 'There is nothing at this path.' },
  'not-in-trail': { status: 404, means: 'The audit trail has no such entry, or not so many of them yet.' },
  'not-offered': { status: 400, means: 'The catalogue does not offer this. The message lists what it offers.' },
  'not-settled': {
    status: 503,
    means: 'Too many others change the same thing at once. Nothing was done; try again.',
  },
  'organisation-in-use': { status: 409, means: 'The organisation still has datastores. The message names them.' },
  'out-of-range': { status: 400, means: 'A number is outside of what the catalogue offers. The message names the bounds.' },
  'read-only-already': { status: 409, means: 'The datastore takes writes, or takes none, as it is to already.' },
  'replica-needed': { status: 409, means: 'A synchronous datastore has 2 nodes at least: each commit waits for a replica.' },
  'reserved-name': { status: 400, means: 'The name is one that the system needs for itself.' },
  'rotation-at-work': {
    status: 409,
    means: 'The login before the present one holds still. The message says until when; it can be ended at once.',
  },
  'registration-closed': { status: 403, means: 'Nobody registers himself at this installation; its operators make accounts.' },
  'session-not-found': { status: 404, means: 'The account has no such session.' },
  'timed-out': {
    status: 503,
    means: 'It took too long. It may still happen; an idempotency key makes it safe to ask again.',
  },
  'token-over': { status: 400, means: 'What came by mail is used up, or its time is over.' },
  'too-many-attempts': {
    status: 429,
    means: 'Too many attempts. The header Retry-After tells how many seconds to wait.',
  },
  'too-many-requests': { status: 429, means: 'Too many requests. The header Retry-After tells how many seconds to wait.' },
  unauthenticated: { status: 401, means: 'Nobody is signed in: no session or token was presented, or it is over.' },
  'unknown-field': { status: 400, means: 'A datastore has no such field. The message lists those it has.' },
  'unsupported-encoding': { status: 415, means: 'A body must come without a content encoding.' },
  'user-exists': { status: 409, means: 'The datastore has a user of this name already.' },
  'user-not-found': { status: 404, means: 'The datastore has no such user.' },
  'user-not-managed': {
    status: 409,
    means: 'The user was made by SQL, and is changed by SQL. Here he can only be deleted.',
  },
  'volume-cannot-shrink': { status: 409, means: 'A volume only grows. The message tells how large it is.' },
  'volume-limit-reached': { status: 409, means: 'A volume of this kind may not be so large. The message tells the limit.' },
  'webhook-limit-reached': { status: 422, means: 'An organisation has only so many webhooks. The message tells how many.' },
  'webhook-not-found': { status: 404, means: 'There is no such webhook, or it belongs to another.' },
  'webhook-target-refused': {
    status: 400,
    means: 'Webhooks are not sent to such an address: it must be https, and lead to public addresses alone.',
  },
}

const isProblemCode = (code: string): code is ProblemCode => Object.hasOwn(problems, code)

/** How a problem is told. `code` is the status as a number: clients read nothing else there. */
export type Problem = {
  readonly status: number
  readonly body: {
    readonly code: number
    readonly err: string
    readonly error: string
    readonly type: string
    readonly field?: string
  }
  readonly headers: Readonly<Record<string, string>>
}

/** A refusal of the edge itself. */
export const refusal = (rejected: EdgeRejection, because: string): Refused => new Refused({ rejected, because })

const ISSUES_MAX = 10
const TEXT_LENGTH_MAX = 300

const shortened = (text: string): string =>
  text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}…` : text

const pathOf = ({ path }: core.$ZodIssue): string =>
  shortened(
    path
      .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
      .join('')
      .replace(/^\./, ''),
  )

const malformed = (part: string, { issues }: ZodError): Problem => {
  const lines = issues
    .slice(0, ISSUES_MAX)
    .map((issue) => `${pathOf(issue) || `the ${part}`}: ${shortened(issue.message)}`)
  const more = issues.length > ISSUES_MAX ? ` (and ${issues.length - ISSUES_MAX} more)` : ''
  const [first] = issues
  const field = first === undefined ? '' : pathOf(first)
  return told('malformed-request', lines[0] ?? `the ${part} is malformed`, `${lines.join('; ')}${more}`, field)
}

const BEARER = 'Bearer realm="ccx"'
const BASIC = 'Basic realm=Restricted'

const told = (code: ProblemCode, err: string, error = err, field = ''): Problem => {
  const { status } = problems[code]
  return {
    status,
    body: { code: status, err, error, type: `/problems/${code}`, ...(field === '' ? {} : { field }) },
    headers: status === 401 ? { 'WWW-Authenticate': code === 'basic-required' ? BASIC : BEARER } : {},
  }
}

/**
 * What the caller is told of an error. Of what we did not foresee he learns nothing but that the fault is ours.
 */
export const problemOf = (error: unknown): Problem => {
  if (error instanceof Malformed && error.cause instanceof ZodError) return malformed(error.part, error.cause)
  if (error instanceof Refused && isProblemCode(error.code)) {
    const problem = told(error.code, error.message)
    const { retryAfterSeconds } = error
    return retryAfterSeconds === undefined
      ? problem
      : { ...problem, headers: { ...problem.headers, 'Retry-After': String(retryAfterSeconds) } }
  }
  if (error instanceof RevisionConflict) {
    return { ...told('not-settled', problems['not-settled'].means), headers: { 'Retry-After': '1' } }
  }
  return told('internal', problems.internal.means)
}

/** What a problem's `type` leads to; undefined for a code that is none. */
export const problemNamed = (code: string): (Kind & { readonly code: string }) | undefined =>
  isProblemCode(code) ? { code, ...problems[code] } : undefined

/** `docs/problems.md`, the same for people to read. */
export const problemsPage = (): string => {
  const rows = Object.entries(problems)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, { status, means }]) => `| <a id="${code}"></a>\`${code}\` | ${status} | ${means} |`)
  return [
    '# Problems',
    '',
    'Every refusal of the REST API has the body `{ "code": <status>, "err", "error", "type": "/problems/<code>" }`, and',
    '`field` where one field is at fault. The codes are stable; the sentences are not. This page is generated from',
    '`infra/http/problems.ts`: `node infra/http/write-problems.ts`.',
    '',
    '| code | status | meaning |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}
