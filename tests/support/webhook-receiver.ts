import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { text } from 'node:stream/consumers'
import { z } from 'zod'

const CloudEvent = z.object({
  specversion: z.literal('1.0'), id: z.uuid(), source: z.url(), type: z.string(), subject: z.string(), time: z.iso.datetime(),
  datacontenttype: z.literal('application/json'), data: z.record(z.string(), z.json()), cursor: z.string().default(''),
})

/** A request as the endpoint got it. */
export type Received = {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly event: z.infer<typeof CloudEvent>
}

/** What the endpoint does with the nth request, from 1. */
export type Behave = (response: ServerResponse, n: number, received: Received) => void

export type Receiver = {
  readonly url: string
  readonly port: number
  /** In the order of their arrival. */
  readonly received: readonly Received[]
  readonly ids: () => readonly string[]
  readonly behave: (how: Behave) => void
  readonly close: () => Promise<void>
}

export const accept: Behave = (response) => void response.writeHead(204).end()
export const fail: Behave = (response) => void response.writeHead(500).end('no')

/** An integrator's server on 127.0.0.1. */
export const startReceiver = async (
  first: Behave = accept,
  { tls, port = 0 }: { readonly tls?: { readonly cert: string; readonly key: string }; readonly port?: number } = {},
): Promise<Receiver> => {
  const received: Received[] = []
  let behave = first
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request)
    const event = CloudEvent.parse(JSON.parse(body))
    received.push({ path: request.url ?? '', headers: request.headers, body, event })
    behave(response, received.length, received.at(-1) ?? { path: '', headers: {}, body, event })
  }
  const listener = (request: IncomingMessage, response: ServerResponse): void => void take(request, response)
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('BUG: a TCP server has a port')
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${address.port}/hook`,
    port: address.port,
    received,
    ids: () => received.map(({ event }) => event.id),
    behave: (how) => {
      behave = how
    },
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

/**
 * Checks a request as Standard Webhooks tells receivers to, from its words alone.
 *
 * @returns which of the secrets have signed it
 */
export const signedBy = ({ headers, body }: Received, secrets: readonly string[]): readonly string[] => {
  const [id, timestamp, given] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => String(headers[name]))
  const signed = Buffer.concat([id, '.', timestamp, '.', body].map((part) => Buffer.from(part ?? '')))
  const presented = (given ?? '').split(' ').filter((one) => one.startsWith('v1,'))
  return secrets.filter((secret) => {
    const [prefix, encoded = ''] = secret.split('_')
    const expected = createHmac('sha256', Buffer.from(encoded, 'base64')).update(signed).digest('base64')
    return prefix === 'whsec' && presented.includes(`v1,${expected}`)
  })
}
