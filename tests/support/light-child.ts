import { createServer } from 'node:http'

/** A service as small as one can be: answers on the port it is given, and ends on SIGTERM. */
const [port, unstoppable] = process.argv.slice(2)
const server = createServer((_, response) => response.end(`${process.pid}`)).listen(Number(port), '127.0.0.1')
process.on('SIGTERM', () => {
  if (unstoppable === undefined) server.close(() => process.exit(0)).closeAllConnections()
})
