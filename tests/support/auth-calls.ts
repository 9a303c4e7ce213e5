import { z } from 'zod'
import type { AuthService } from './auth-service.ts'
import type { Answer, Ask } from './rest.ts'

export type Who = { readonly login: string; readonly password: string }

export const cookieOf = ({ headers }: Answer): string => (headers.get('set-cookie') ?? '').split(';')[0] ?? ''

export const errorOf = ({ body }: Answer): { readonly type: string; readonly error: string } =>
  z.object({ type: z.string(), error: z.string() }).parse(body)

/** The token that a mail brought. */
export const tokenIn = (text: string): string => /^[A-Za-z0-9_-]{43}$/m.exec(text)?.[0] ?? ''

/** The calls that most tests of the authentication service begin with. */
export const authCalls = (service: () => AuthService) => {
  const ask = (method: string, path: string, options?: Ask): Promise<Answer> => service().rest.ask(method, path, options)
  const by = (cookie: string, body?: unknown): Ask => ({ headers: { cookie }, ...(body === undefined ? {} : { body }) })
  return {
    ask,
    by,
    register: (who: Who, more: object = {}) =>
      ask('POST', '/api/auth/register', { body: { ...who, firstName: 'Ada', lastName: 'L', ...more } }),
    signIn: (who: Who, headers: Readonly<Record<string, string>> = {}) =>
      ask('POST', '/api/v2/auth/login', { body: who, headers }),
    whoIs: async (cookie: string): Promise<number> => (await ask('GET', '/api/auth/check', by(cookie))).status,
    newClient: async (cookie: string) =>
      z
        .object({ client_id: z.string(), client_secret: z.string() })
        .parse((await ask('POST', '/api/v2/auth/oauth2/clients', by(cookie, { name: 'ci' }))).body),
    tokenBy: ({ client_id, client_secret }: { readonly client_id: string; readonly client_secret: string }) => {
      const fields = new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret })
      return ask('POST', '/api/auth/oauth2/token', { raw: fields.toString() })
    },
  }
}
