import type { Endpoint } from '../../domain/kernel/endpoint.ts'
import { type Clients, clientEndpoints } from './clients.ts'
import { type SignIn, signInEndpoints } from './sign-in.ts'
import { type Tokens, tokenEndpoint } from './token.ts'

export type AuthEndpoints = Clients & SignIn & Tokens

/** All calls of the authentication service. */
export const authEndpoints = (options: AuthEndpoints): readonly Endpoint[] => [
  ...signInEndpoints(options),
  tokenEndpoint(options),
  ...clientEndpoints(options),
]
