import { type Command, type Decider, type Event, reject } from '../kernel/decider.ts'
import type { Instant } from '../kernel/time.ts'

/** Whose jobs are meant: everybody's, or those of one organisation, in one region, of one engine. */
export type Scope =
  | { readonly kind: 'all' }
  | { readonly kind: 'organisation' | 'region' | 'engine'; readonly name: string }

type About<Data extends object = object> = Data & { readonly scope: Scope; readonly at: Instant }

/** No job is taken from now on. The reason is an operator's words to tenants, and personal to nobody. */
export type AdmissionStopped = Event<'AdmissionStopped', About<{ readonly because: string; readonly deletions: boolean }>>
export type AdmissionOpened = Event<'AdmissionOpened', About>
export type InstallationEvent = AdmissionStopped | AdmissionOpened

type Asking<Data extends object = object> = Data & { readonly scope: Scope; readonly now: Instant }

/** `deletions`: whether datastores may be deleted all the same. */
export type StopAdmission = Command<'StopAdmission', Asking<{ readonly because: string; readonly deletions: boolean }>>
export type OpenAdmission = Command<'OpenAdmission', Asking>
export type InstallationCommand = StopAdmission | OpenAdmission

export type Stop = { readonly scope: Scope; readonly because: string; readonly deletions: boolean; readonly since: Instant }
export type Installation = { readonly status: 'open' | 'stopped'; readonly stops: readonly Stop[] }

const same = (one: Scope, other: Scope): boolean => JSON.stringify(ordered(one)) === JSON.stringify(ordered(other))
const ordered = (scope: Scope): readonly string[] => (scope.kind === 'all' ? ['all'] : [scope.kind, scope.name])

/** The installation itself: which jobs it takes. What is queued or at work goes on whatever is stopped. */
export const installation: Decider<InstallationCommand, InstallationEvent, Installation, never> = {
  initial: { status: 'open', stops: [] },

  decide(command, { stops }) {
    const { scope, now: at } = command.data
    const found = stops.find((stop) => same(stop.scope, scope))
    switch (command.type) {
      case 'OpenAdmission':
        return found === undefined ? [] : [{ type: 'AdmissionOpened', data: { scope, at } }]
      case 'StopAdmission': {
        const { because, deletions } = command.data
        const isSo = found?.because === because && found.deletions === deletions
        return isSo ? [] : [{ type: 'AdmissionStopped', data: { scope, because, deletions, at } }]
      }
    }
  },

  evolve({ stops }, { type, data }) {
    const others = stops.filter(({ scope }) => !same(scope, data.scope))
    if (type === 'AdmissionOpened') return { status: others.length === 0 ? 'open' : 'stopped', stops: others }
    const { scope, because, deletions, at: since } = data
    return { status: 'stopped', stops: [...others, { scope, because, deletions, since }] }
  },
}

/** A datastore as far as it matters whether a job of it is taken. */
export type Concerned = { readonly ownerId: string; readonly region: string; readonly engine: string; readonly vendor: string }

const concerns = (scope: Scope, { ownerId, region, engine, vendor }: Concerned): boolean => {
  switch (scope.kind) {
    case 'all':
      return true
    case 'organisation':
      return scope.name === ownerId
    case 'region':
      return scope.name === region
    case 'engine':
      return scope.name === engine || scope.name === vendor
  }
}

/**
 * Why no job of a datastore is taken at present.
 *
 * @param isDeletion of the datastore, which a stop may let through
 * @returns undefined when it is
 */
export const admissionRefusal = (stops: readonly Stop[], concerned: Concerned, isDeletion: boolean) => {
  const stop = stops.find(({ scope, deletions }) => concerns(scope, concerned) && !(isDeletion && deletions))
  return stop === undefined
    ? undefined
    : reject('admission-stopped', `no new jobs are taken since ${stop.since}: ${stop.because}`)
}
