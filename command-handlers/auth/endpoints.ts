import type { Endpoint } from '../../domain/kernel/endpoint.ts'
import { type Clients, clientEndpoints } from './clients.ts'
import { type JwtLogin, jwtEndpoints } from './jwt-login.ts'
import { type Passwords, passwordEndpoints } from './passwords.ts'
import { type SessionList, sessionEndpoints } from './session-list.ts'
import { type SignIn, signInEndpoints } from './sign-in.ts'
import { type SignUp, signUpEndpoints } from './sign-up.ts'
import { type Tokens, tokenEndpoint } from './token.ts'

export type AuthEndpoints = Clients & SignIn & Tokens & SignUp & Passwords & SessionList & JwtLogin

/** All calls of the authentication service. */
export const authEndpoints = (options: AuthEndpoints): readonly Endpoint[] => [
  ...signInEndpoints(options),
  ...signUpEndpoints(options),
  ...passwordEndpoints(options),
  ...sessionEndpoints(options),
  ...jwtEndpoints(options),
  tokenEndpoint(options),
  ...clientEndpoints(options),
]
