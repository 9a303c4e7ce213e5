import type { JsonValue } from './json.ts'
import type { Need, Role } from './roles.ts'

/** Anything that turns unknown input into a T or throws: a zod schema is one. */
export type Schema<T> = { readonly parse: (input: unknown) => T }

/** Who is asking, as established by the authentication in front of every endpoint that is not public. */
export type Principal = {
  readonly kind: 'user' | 'client' | 'operator'
  readonly userId: string
  /** The OAuth2 client that acts for the user, if one does. */
  readonly clientId?: string
  readonly login: string
  readonly isAdmin: boolean
  /** He has not confirmed his address, and this installation asks for it. */
  readonly toConfirm?: true
  /** The tenant in whose name the request acts (the CCX-Owner header, else the user's own scope). */
  readonly ownerId: string
  /** What he is there. */
  readonly role: Role
  /** Whether the request named its owner; the list of datastores has another shape then. */
  readonly ownerNamed: boolean
}

export type Request<P, Q, B> = {
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly principal: Principal
  readonly requestId: string
  readonly idempotencyKey: string | undefined
  readonly address: string
  readonly header: (name: string) => string | undefined
  /** Aborts when the caller has gone or may ask no longer, or the service must end: for replies that go on. */
  readonly signal: AbortSignal
}

export type Reply = {
  readonly status: number
  readonly body?: JsonValue | undefined
  /** In place of a body: text that is sent as it comes, no faster than the caller takes it. */
  readonly stream?: ReplyStream | undefined
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** What the reply's reader will want to see in the read models: the answer is held until they have it (within a limit). */
  readonly position?: { readonly commit: bigint; readonly prepare: bigint } | undefined
}

export type ReplyStream = {
  /** Media type, such as `text/event-stream`. */
  readonly type: string
  /** Ends the answer when it ends. Once it has begun, an error can only break it off. */
  readonly chunks: AsyncIterable<string>
}

export type ReplyDescription = {
  readonly description: string
  readonly schema?: Schema<unknown>
  /** What a stream comes as, in place of JSON. */
  readonly types?: readonly string[]
}

/** One call of the REST contract. The same value is mounted, documented (OpenAPI) and fuzzed. */
export type Endpoint = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With `:name` parameters. */
  readonly path: string
  readonly summary: string
  readonly tag: string
  /**
   * `public`: anyone; `user`: any signed-in principal; `admin`: an operator's session; `basic`: the machine account of
   * operators, by HTTP Basic, and no session; `admin-or-basic`: either.
   */
  readonly access: 'public' | 'user' | 'admin' | 'basic' | 'admin-or-basic'
  /** What a `user` must be allowed in the scope that he acts in; default `look` for a GET, else `operate`. */
  readonly needs?: Need
  /**
   * Whose name it acts in, if not the one that CCX-Owner says: the organisation that the path names as `:id`, which for
   * whoever is no member of it does not exist.
   */
  readonly of?: 'organisation'
  /** Not for those who have yet to confirm their address. */
  readonly confirmed?: true
  readonly params?: Schema<unknown>
  readonly query?: Schema<unknown>
  readonly body?: Schema<unknown>
  /** `form`: application/x-www-form-urlencoded, for the token call alone. */
  readonly bodyType?: 'json' | 'form'
  readonly replies: Readonly<Record<number, ReplyDescription>>
  readonly handle: (request: Request<unknown, unknown, unknown>) => Promise<Reply>
}

/** What an endpoint asks of a user's role. */
export const needOf = ({ method, needs }: Pick<Endpoint, 'method' | 'needs'>): Need =>
  needs ?? (method === 'GET' ? 'look' : 'operate')

type Typed<P, Q, B> = Omit<Endpoint, 'params' | 'query' | 'body' | 'handle'> & {
  readonly params?: Schema<P>
  readonly query?: Schema<Q>
  readonly body?: Schema<B>
  readonly handle: (request: Request<P, Q, B>) => Promise<Reply>
}

/**
 * Ties an endpoint's schemas to its handler's types, and parses before the handler is called.
 * What a schema throws is the caller's to translate into a 400.
 */
export const endpoint = <P = undefined, Q = undefined, B = undefined>(typed: Typed<P, Q, B>): Endpoint => {
  return {
    ...typed,
    handle: (request) =>
      typed.handle({
        ...request,
        params: read('params', typed.params, request.params),
        query: read('query', typed.query, request.query),
        body: read('body', typed.body, request.body),
      }),
  }
}

type Part = 'params' | 'query' | 'body'

/** Without a schema the part's type is `undefined`, by the defaults of `endpoint`. */
function read<T>(part: Part, schema: Schema<T> | undefined, input: unknown): T
function read(part: Part, schema: Schema<unknown> | undefined, input: unknown): unknown {
  try {
    return schema?.parse(input)
  } catch (cause) {
    throw new Malformed(part, cause)
  }
}

/** A part of a request that its schema refused; the cause says which field and why. */
export class Malformed extends Error {
  override readonly name = 'Malformed'
  readonly part: Part
  constructor(part: Part, cause: unknown) {
    super(`the ${part} of the request is malformed`, { cause })
    this.part = part
  }
}

/** A refusal on its way to the caller: a stable code and a sentence. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly code: string
  /** After how many seconds it may be tried again, where that is known. */
  readonly retryAfterSeconds: number | undefined
  constructor({ rejected, because, retryAfterSeconds }: {
    readonly rejected: string
    readonly because: string
    readonly retryAfterSeconds?: number
  }) {
    super(because)
    this.code = rejected
    this.retryAfterSeconds = retryAfterSeconds
  }
}
