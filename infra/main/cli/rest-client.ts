import { z } from 'zod'

/** The REST API as one signed-in user sees it. */
export type RestClient = {
  /** @throws with the API's own words when it refuses */
  readonly call: <T>(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    schema: z.ZodType<T>,
    options?: { readonly body?: object; readonly idempotencyKey?: string },
  ) => Promise<T>
}

const Problem = z.object({ err: z.string().optional(), error: z.string().optional() })

/** Signs in with a login and password; the session lasts as long as the process needs it. */
export const signIn = async (apiUrl: string, login: string, password: string): Promise<RestClient> => {
  const answer = await fetch(`${apiUrl}/api/v2/auth/login`, { method: 'POST', body: JSON.stringify({ login, password }) })
  const [cookie] = answer.headers.getSetCookie().map((text) => text.split(';')[0])
  if (!answer.ok || cookie === undefined) throw new Error(`signing in as ${login} is refused with ${answer.status}`)
  await answer.body?.cancel()
  return {
    call: async (method, path, schema, { body, idempotencyKey } = {}) => {
      const response = await fetch(`${apiUrl}${path}`, {
        method,
        headers: { cookie, ...(idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      const content: unknown = text === '' ? {} : JSON.parse(text)
      if (response.ok) return schema.parse(content)
      const { error, err } = Problem.catch({}).parse(content)
      throw new Error(`${method} ${path} is refused with ${response.status}: ${error ?? err ?? text}`)
    },
  }
}
