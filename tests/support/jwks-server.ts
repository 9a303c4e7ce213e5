import { once } from 'node:events'
import { createServer } from 'node:http'
import { exportJWK } from 'jose'
import type { KeyObject } from 'node:crypto'

/** An issuer that publishes its keys, on a free port of 127.0.0.1. */
export const startJwksServer = async () => {
  let keys: readonly object[] = []
  let asked = 0
  let isDown = false
  const server = createServer((_, response) => {
    asked += 1
    response.writeHead(isDown ? 500 : 200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('BUG: a TCP server has a port')
  return {
    url: `http://127.0.0.1:${address.port}/keys`,
    asked: () => asked,
    publish: async (published: Readonly<Record<string, KeyObject>>) => {
      keys = await Promise.all(Object.entries(published).map(async ([kid, key]) => ({ ...(await exportJWK(key)), kid })))
    },
    fail: (isFailing: boolean) => {
      isDown = isFailing
    },
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
