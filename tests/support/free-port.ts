import { createServer } from 'node:net'
import { once } from 'node:events'

/** A TCP port on 127.0.0.1 that was free a moment ago. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('BUG: a TCP server has a port')
  return address.port
}
