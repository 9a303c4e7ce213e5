import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { framed, messagesOf } from '../../dns/exchange.ts'
import type { TsigKey } from '../../dns/tsig.ts'
import { RCODE, type Message } from '../../dns/wire.ts'
import { openJournal, type Journal } from './journal.ts'
import { respond, type Responder } from './respond.ts'
import { decideUpdate, type Outcome } from './update.ts'
import { emptyZone, type Zone } from './zone.ts'

export type DnsServerOptions = {
  /** A loopback address. */
  readonly host: string
  /** For UDP and TCP alike; 0: any that is free. */
  readonly port: number
  /** The zone's name, without the final dot. */
  readonly zone: string
  /** Whoever signs with it may change and list the zone. */
  readonly key: TsigKey
  /** Where the zone is kept. */
  readonly file: string
}

export type DnsServer = { readonly port: number; readonly close: () => Promise<void> }

const CONNECTIONS_MAX = 512
const IDLE_TIMEOUT_MS = 10_000
const PORTS_TRIED_MAX = 10
const STEPS_BEFORE_COMPACTION = 2_000

const compactWhenLong = async (journal: Journal, zone: Zone): Promise<void> => {
  if (journal.length() < STEPS_BEFORE_COMPACTION) return
  await journal.compact({ serial: zone.serial(), changes: [...zone.entries()] })
}

/** Updates one after the other: each is decided on what the one before has left, and told only when it is on disk. */
const updater = (zone: Zone, journal: Journal): ((request: Message) => Promise<Outcome>) => {
  let last: Promise<unknown> = Promise.resolve()
  const carryOut = async (request: Message): Promise<Outcome> => {
    const outcome = decideUpdate(zone, request)
    if (outcome.changes.length === 0) return outcome
    const step = { serial: (zone.serial() + 1) % 2 ** 32, changes: outcome.changes }
    try {
      await journal.append(step)
    } catch {
      return { rcode: RCODE.SERVFAIL, changes: [] }
    }
    zone.apply(step.serial, step.changes)
    // The change is safe already; a journal that stays long is shortened after the next one.
    await compactWhenLong(journal, zone).catch(() => undefined)
    return outcome
  }
  return (request) => {
    const own = last.then(() => carryOut(request))
    last = own.catch(() => undefined)
    return own
  }
}

const serveTcp = (responder: Responder): Server => {
  const serve = async (socket: Socket): Promise<void> => {
    for await (const bytes of messagesOf(socket)) {
      for (const reply of await respond(responder, bytes, 'tcp')) {
        if (!socket.write(framed(reply))) await once(socket, 'drain')
      }
    }
    socket.end()
  }
  const server = createServer((socket) => {
    socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    serve(socket).catch(() => socket.destroy())
  })
  server.maxConnections = CONNECTIONS_MAX
  return server
}

const serveUdp = (responder: Responder): UdpSocket => {
  const socket = createSocket('udp4')
  socket.on('message', (bytes, { address, port }) => {
    respond(responder, bytes, 'udp').then(
      (replies) => {
        // An asker that is gone is nobody's fault.
        for (const reply of replies) socket.send(reply, port, address, () => undefined)
      },
      () => undefined,
    )
  })
  return socket
}

type Sockets = { readonly tcp: Server; readonly udp: UdpSocket; readonly port: number }

const listen = async (responder: Responder, host: string, port: number): Promise<Sockets> => {
  const tcp = serveTcp(responder).listen(port, host)
  await once(tcp, 'listening')
  const bound = tcp.address()
  if (bound === null || typeof bound === 'string') throw new Error('BUG: a TCP server has a port')
  const udp = serveUdp(responder)
  try {
    udp.bind(bound.port, host)
    await once(udp, 'listening')
    return { tcp, udp, port: bound.port }
  } catch (cause) {
    tcp.close()
    udp.close()
    throw new Error(`port ${bound.port} is in use`, { cause })
  }
}

/** Any port that is free for TCP need not be so for UDP. */
const listenSomewhere = async (responder: Responder, host: string, port: number): Promise<Sockets> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listen(responder, host, port)
    } catch (error) {
      if (port !== 0 || attempt === PORTS_TRIED_MAX) throw error
    }
  }
}

/**
 * Starts an authoritative server for one zone, over UDP and TCP. It answers A, TXT, NS and SOA, takes signed updates
 * (RFC 2136) and transfers (AXFR), and keeps the zone in a file that survives whatever ends the process.
 *
 * @throws when the port is in use, or the file is damaged
 */
export const dnsServer = async ({ host, port, zone: name, key, file }: DnsServerOptions): Promise<DnsServer> => {
  const zone = emptyZone(name, host)
  const { journal, steps } = await openJournal(file)
  for (const { serial, changes } of steps) zone.apply(serial, changes)
  await compactWhenLong(journal, zone)
  const responder = { zone, key, update: updater(zone, journal) }
  const sockets = await listenSomewhere(responder, host, port).catch(async (error: unknown) => {
    await journal.close()
    throw error
  })
  const connections = new Set<Socket>()
  sockets.tcp.on('connection', (socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
  })
  return {
    port: sockets.port,
    async close() {
      sockets.udp.close()
      sockets.tcp.close()
      for (const socket of connections) socket.destroy()
      await once(sockets.tcp, 'close')
      await journal.close()
    },
  }
}
