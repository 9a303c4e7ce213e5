import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer, request as ask } from 'node:http'
import { pipeline } from 'node:stream'

/** Requests whose path begins with `prefix` go to `port` on 127.0.0.1. */
export type Route = { readonly prefix: string; readonly port: number }

const UNREACHABLE = JSON.stringify({ code: 502, err: 'unreachable', error: 'The service behind this address does not answer.' })

/** Headers that hold for one connection only (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'])

const forwarded = (headers: NodeJS.Dict<string | string[]>): NodeJS.Dict<string | string[]> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)))

/**
 * What a cluster's ingress does, for services side by side on one machine: one address in front, and the longest
 * matching prefix wins. The path goes on as it came, and the address of who asks as X-Forwarded-For, whatever he said.
 */
export const ingress = async ({
  host,
  port,
  routes,
}: {
  readonly host: string
  readonly port: number
  readonly routes: readonly Route[]
}): Promise<{ readonly port: number; readonly close: () => Promise<void> }> => {
  const longestFirst = routes.toSorted((a, b) => b.prefix.length - a.prefix.length)

  const pass = (request: IncomingMessage, response: ServerResponse): void => {
    const route = longestFirst.find(({ prefix }) => request.url?.startsWith(prefix))
    const refuse = (): void => {
      if (response.headersSent) return void response.destroy()
      response.writeHead(502, { 'Content-Type': 'application/json' }).end(UNREACHABLE)
    }
    if (route === undefined) return refuse()
    const length = request.headers['content-length']
    const onward = ask({
      host: '127.0.0.1',
      port: route.port,
      method: request.method,
      path: request.url,
      headers: {
        ...forwarded(request.headers),
        'x-forwarded-for': request.socket.remoteAddress ?? '',
        // A body of unknown length must stay one.
        ...(length === undefined && request.headers['transfer-encoding'] ? { 'transfer-encoding': 'chunked' } : {}),
      },
    })
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, forwarded(answer.headers))
      pipeline(answer, response, () => undefined)
    })
    onward.on('error', refuse)
    response.on('close', () => onward.destroy())
    pipeline(request, onward, () => undefined)
  }

  const server = createServer(pass).listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      setTimeout(() => server.closeAllConnections(), 5_000).unref()
      await closed
    },
  }
}
