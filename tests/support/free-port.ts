import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below what the kernel gives to outgoing connections, so that none has taken it when a server that was killed comes back. */
const [LOWEST, HIGHEST] = [12_000, 32_767]

/** A TCP port on 127.0.0.1 that was free a moment ago. */
export const freePort = async (): Promise<number> => {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(LOWEST, HIGHEST)
    const server = createServer().listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch {
      continue
    }
    server.close()
    await once(server, 'close')
    return port
  }
  throw new Error('no free port was found')
}
