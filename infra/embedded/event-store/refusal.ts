import { Metadata, status } from '@grpc/grpc-js'

/** A call that ends with a status other than OK. The trailer `exception` is what clients tell errors apart by. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: status
  readonly details: string
  readonly metadata: Metadata
  constructor(code: status, details: string, trailers: Readonly<Record<string, string>> = {}) {
    super(details)
    this.code = code
    this.details = details
    this.metadata = new Metadata()
    for (const [key, value] of Object.entries(trailers)) this.metadata.set(key, value)
  }
}

export const malformed = (details: string): Refusal => new Refusal(status.INVALID_ARGUMENT, details)

export const appendTooBig = (bytesMax: number): Refusal =>
  new Refusal(status.INVALID_ARGUMENT, `Maximum Append Size of ${bytesMax} Exceeded.`, {
    exception: 'maximum-append-size-exceeded',
    'maximum-append-size': `${bytesMax}`,
  })

export const propertyMissing = (property: string): Refusal =>
  new Refusal(status.INVALID_ARGUMENT, `Required Metadata Property '${property}' is missing`, {
    exception: 'missing-required-metadata-property',
    'required-metadata-properties': 'type,content-type',
  })

/** It is known who asks, and that one may not. */
export const accessDenied = (): Refusal =>
  new Refusal(status.PERMISSION_DENIED, 'Access Denied', { exception: 'access-denied' })

export const isDenial = (error: unknown): boolean =>
  error instanceof Refusal && error.code === status.PERMISSION_DENIED

/** The credentials are nobody's, or no longer. */
export const notAuthenticated = (): Refusal => new Refusal(status.UNAUTHENTICATED, 'the credentials are not valid')

export const userNotFound = (login: string): Refusal =>
  new Refusal(status.NOT_FOUND, `User '${login}' is not found.`, { exception: 'user-not-found', 'login-name': login })

export const userConflict = (login: string): Refusal =>
  new Refusal(status.FAILED_PRECONDITION, 'Conflict.', { exception: 'user-conflict', 'login-name': login })

/** Trailers are ASCII; a stream's name need not be. */
const asciiOf = (text: string): string => text.replaceAll(/[^\x20-\x7e]/gu, encodeURIComponent)

export const streamDeleted = (stream: string): Refusal =>
  new Refusal(status.FAILED_PRECONDITION, `Event stream '${stream}' is deleted.`, {
    exception: 'stream-deleted',
    'stream-name': asciiOf(stream),
  })

/**
 * A conflict where it is an error: in a deletion. An append answers with one.
 *
 * @param revisions as numbers on the wire: -1 no stream, -2 any, -4 stream exists; `actual` undefined for no stream
 */
export const wrongExpectedVersion = (
  stream: string,
  { expected, actual }: { readonly expected: number; readonly actual: number | undefined },
): Refusal => {
  const revisions = `Expected version: ${expected}, Actual version: ${actual ?? ''}`
  return new Refusal(status.FAILED_PRECONDITION, `WrongExpectedVersion. Stream: ${stream}, ${revisions}`, {
    exception: 'wrong-expected-version',
    'stream-name': asciiOf(stream),
    'expected-version': `${expected}`,
    'actual-version': `${actual ?? ''}`,
  })
}

/** Anything thrown, as the status that ends the call. What was not foreseen says nothing of our insides. */
export const refusalOf = (error: unknown): Refusal =>
  error instanceof Refusal ? error : new Refusal(status.UNAVAILABLE, 'the event store cannot serve this call')
