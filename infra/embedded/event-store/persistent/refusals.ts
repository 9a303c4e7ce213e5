import { status } from '@grpc/grpc-js'
import { Refusal } from '../refusal.ts'
import { nameOf, type Source } from './source.ts'

/** The errors of persistent subscriptions, with the trailers that clients tell them apart by. */
type About = { readonly stream: string; readonly group: string }

export const aboutOf = (source: Source, group: string): About => ({ stream: nameOf(source), group })

/** Trailers are ASCII; what else is in a name is written as in a URL. */
const ascii = (text: string): string => text.replace(/[^\x20-\x7e]+/g, encodeURIComponent)

const refusal = (code: status, exception: string, { stream, group }: About, details: string, more = {}): Refusal =>
  new Refusal(code, details, { exception, 'stream-name': ascii(stream), 'group-name': ascii(group), ...more })

const named = ({ stream, group }: About): string => `Subscription group ${group} on stream ${stream}`

export const doesNotExist = (about: About): Refusal =>
  refusal(status.NOT_FOUND, 'persistent-subscription-does-not-exist', about, `${named(about)} does not exist.`)

export const exists = (about: About): Refusal =>
  refusal(status.ALREADY_EXISTS, 'persistent-subscription-exists', about, `${named(about)} exists.`)

export const failed = (about: About, reason: string): Refusal =>
  refusal(status.INTERNAL, 'persistent-subscription-failed', about, `${named(about)} failed: '${reason}'`, {
    reason: ascii(reason),
  })

/** For the consumers of a group that is closed. */
export const droppedFrom = ({ order }: { readonly order: { readonly source: Source; readonly name: string } }): Refusal => {
  const about = aboutOf(order.source, order.name)
  return refusal(status.CANCELLED, 'persistent-subscription-dropped', about, `${named(about)} was dropped.`)
}

export const maximumSubscribersReached = (about: About): Refusal =>
  refusal(status.FAILED_PRECONDITION, 'maximum-subscribers-reached', about,
    `Maximum subscriptions reached for subscription group ${about.group} on stream ${about.stream}.`)
