import type { TrustRejection } from '../../domain/datastore/trust.ts'
import type { Kind } from './problems.ts'

/** The refusals about trusted sources and stopped datastores. A code without an entry does not compile. */
export const firewallProblems: Readonly<Record<TrustRejection | 'datastore-stopped' | 'job-must-be-done', Kind>> = {
  'datastore-stopped': { status: 409, means: 'The datastore is stopped, or will be by then: this needs its servers.' },
  'job-must-be-done': { status: 409, means: 'The job carries out what holds already, so it is not taken back.' },
  'source-limit-reached': { status: 422, means: 'A datastore can trust only so many sources. The message tells how many.' },
  'source-not-trusted': { status: 404, means: 'The source is not among the trusted ones.' },
  'source-trusted-already': { status: 409, means: 'The source is trusted already, perhaps written in another way.' },
}
