import { type Rejection, reject } from '../kernel/decider.ts'
import type { RevokeSources, SourcesRevoked, SourcesTrusted, TrustSources } from './messages.ts'
import type { DatastoreSpec, TrustedSource } from './spec.ts'

/** As many sources as a datastore can trust. */
export const SOURCES_MAX = 200

type Of = Pick<DatastoreSpec, 'trusted'>
export type TrustRejection = 'source-limit-reached' | 'source-not-trusted' | 'source-trusted-already'
type Refused = Rejection<TrustRejection>

/** That these are trusted too, or why they cannot be. The first of them ends that everybody is. */
export const trusted = (
  { datastoreId, jobId, sources, now }: TrustSources['data'],
  { trusted: before = [] }: Of,
): SourcesTrusted | Refused => {
  const there = new Set(before.map(({ ruleId }) => ruleId))
  if (sources.some(({ ruleId }) => there.has(ruleId)) || new Set(sources.map(({ ruleId }) => ruleId)).size < sources.length) {
    return reject('source-trusted-already', 'source: it is trusted already; other ways to write an address count as the same')
  }
  return before.length + sources.length > SOURCES_MAX
    ? reject('source-limit-reached', `a datastore can trust at most ${SOURCES_MAX} sources`)
    : { type: 'SourcesTrusted', data: { datastoreId, at: now, jobId, sources } }
}

/** That these are trusted no more, or why they never were. */
export const revoked = (
  { datastoreId, jobId, ruleIds, now }: RevokeSources['data'],
  { trusted: before = [] }: Of,
): SourcesRevoked | Refused => {
  const there = new Set(before.map(({ ruleId }) => ruleId))
  return ruleIds.every((ruleId) => there.has(ruleId))
    ? { type: 'SourcesRevoked', data: { datastoreId, at: now, jobId, ruleIds } }
    : reject('source-not-trusted', 'source: it is not among the trusted sources')
}

/** The sources that are trusted once it has happened. */
export const trustedAfter = (
  before: readonly TrustedSource[] = [],
  event: SourcesTrusted | SourcesRevoked,
): readonly TrustedSource[] =>
  event.type === 'SourcesTrusted'
    ? [...before, ...event.data.sources]
    : before.filter(({ ruleId }) => !event.data.ruleIds.includes(ruleId))
